"""Which R-factor would counting noise alone leave, of a model that is right in everything else?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.readers.scan import Scan

UNKNOWN = "frames are not whole numbers of one unit, and the scan's metadata has no nphotons"
SAMPLED_FRAMES = 32
# Of a unit, what single precision leaves of whole numbers of it, up to so many at first and last.
ROUNDING, OFF = 0.01, 1e-5
UNITS = (64.0, 512.0, 4096.0)
MOST_GAPS = 256
# So few different values are whole numbers by chance, unless there are no others.
FEWEST_LEVELS, MANY_LEVELS = 2, 8
STEP, TABLED = 0.002, 16.0  # in roots of expected counts
FARTHEST = 10.0  # of them: counts farther off have no share worth a digit

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Counting:
    """What intensities are in photons.

    Attributes
    ----------
    unit : float
        Intensity of one photon, in the square of the amplitudes' unit.
    known_from : str
        How that is known, for a person.
    """

    unit: float
    known_from: str

    @classmethod
    def of(cls, scan: Scan) -> Counting | None:
        """Find it; None where nothing tells.

        Parameters
        ----------
        scan : Scan
            Its frames are whole numbers of one unit, or its metadata says how many photons a frame
            has on average.
        """
        count = min(scan.n_frames, SAMPLED_FRAMES)
        chosen = np.linspace(0, scan.n_frames - 1, count).astype(np.int64)
        if scan.intensity and scan.source.read(chosen[:1]).dtype.kind in "iu":
            return cls(1.0, "the frames are whole numbers")
        unit = unit_of(scan.amplitudes(chosen).astype(np.float64) ** 2)
        if unit is not None:
            return cls(unit, "the frames are whole numbers of one unit")
        if scan.photons_per_frame:
            total = float(scan.energies().mean())
            return cls(total / scan.photons_per_frame, "nphotons in the scan's metadata")
        return None


def unit_of(intensities: NDArray[np.float64]) -> float | None:
    """Find the unit that intensities are whole numbers of; None where there is none.

    Parameters
    ----------
    intensities : ndarray of float64
        Squares of single-precision amplitudes, of some frames.

    Returns
    -------
    float, optional
        In the unit of the intensities.
    """
    positive = np.unique(intensities[intensities > 0])
    if len(positive) < FEWEST_LEVELS:
        return None
    least = float(positive[0])
    gaps = np.diff(positive)
    apart = gaps[gaps > ROUNDING * least]
    for rough in dict.fromkeys((least, float(apart[:MOST_GAPS].min(initial=least)))):
        unit = rough
        for most in UNITS:
            # A value alone has its rounding: the more are fitted, the more units may be counted.
            small = positive[positive < most * unit]
            levels = np.rint(small / unit)
            if len(small) and np.abs(small / unit - levels).max() < ROUNDING + most * OFF:
                unit = float((small * levels).sum() / (levels * levels).sum())
        off = np.abs(small / unit - levels)
        enough = FEWEST_LEVELS if len(small) == len(positive) else MANY_LEVELS
        if len(np.unique(levels)) >= enough and off.max() < ROUNDING:
            return unit
    return None


def expected_difference(root: Floats) -> NDArray[np.float64]:
    r"""Give :math:`E|\sqrt n - \sqrt\lambda|` of counts n with a mean of :math:`\lambda`.

    Parameters
    ----------
    root : ndarray of float
        Roots of expected counts.

    Returns
    -------
    ndarray of float64, of the same shape
        In roots of counts.

    Notes
    -----
    Counts follow a Poisson distribution: up to 256 expected ones its terms are summed, for roots in
    steps of 0.002 with straight lines between, right to 0.1 % from 1e-6 expected ones on. The root
    of counts has a standard deviation of 1/2, whatever their mean, where that is large (Bartlett,
    Suppl. J. R. Stat. Soc. 3, 68 (1936), doi:10.2307/2983678; Anscombe, Biometrika 35, 246 (1948),
    doi:10.1093/biomet/35.3-4.246), and a normal distribution a mean deviation of
    :math:`\sqrt{2/\pi}` of that: 0.399.

    Examples
    --------
    >>> expected_difference(np.array([0.0, 1.0, 100.0])).round(3).tolist()
    [0.0, 0.509, 0.399]
    """
    levels, steps = _table()
    place = np.minimum(root * (1 / STEP), len(levels) - 1)
    below = place.astype(np.intp)
    return np.asarray(levels.take(below) + (place - below) * steps.take(below))


@lru_cache(maxsize=1)
def _table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Differences at roots in steps, the last for all beyond, and by how much the next is more."""
    roots = np.arange(0, TABLED, STEP)
    expected = roots**2
    chance = np.exp(-expected)  # of as many counts, from none on
    levels = chance * roots
    for count in range(1, math.ceil(TABLED**2 + FARTHEST * TABLED)):
        chance *= expected / count
        levels += chance * np.abs(math.sqrt(count) - roots)
    levels = np.append(levels, math.sqrt(1 / (2 * math.pi)))
    return levels, np.append(np.diff(levels), 0.0)

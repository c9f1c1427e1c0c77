"""Which R-factor would counting noise alone leave, of a model that is right in everything else?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from ptyrun.ptycho.consistency.measured_frames import sum_of_each
from ptyrun.ptycho.readers.scan import Scan

UNKNOWN = "frames are not whole numbers of one unit, and the scan's metadata has no nphotons"
SAMPLED_FRAMES = 32
# Of a unit, what single precision leaves of whole numbers of it, up to so many at first and last.
ROUNDING, OFF = 0.01, 1e-5
UNITS = (64.0, 512.0, 4096.0)
MOST_GAPS = 256
# So few different values are whole numbers by chance, unless there are no others.
FEWEST_LEVELS, MANY_LEVELS = 2, 8
STEP, TABLED = 0.005, 6.5  # in roots of expected counts

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
    Counts follow a Poisson distribution: up to 42 expected ones its terms are summed, for roots in
    steps of 0.005. The root of counts has a standard deviation of 1/2, whatever their mean, where
    that is large (Bartlett, Suppl. J. R. Stat. Soc. 3, 68 (1936), doi:10.2307/2983678; Anscombe,
    Biometrika 35, 246 (1948), doi:10.1093/biomet/35.3-4.246), and a normal distribution a mean
    deviation of :math:`\sqrt{2/\pi}` of that: 0.399.

    Examples
    --------
    >>> expected_difference(np.array([0.0, 1.0, 100.0])).round(3).tolist()
    [0.0, 0.509, 0.399]
    """
    table = _table()
    place = np.minimum(root * (1 / STEP) + 0.5, len(table) - 1).astype(np.intp)
    return np.asarray(table.take(place))


@lru_cache(maxsize=1)
def _table() -> NDArray[np.float64]:
    root = np.arange(0, TABLED, STEP)[:, None]
    counts = np.arange(0, int(TABLED**2 + 10 * TABLED))
    chance = np.exp(xlogy(counts, root**2) - root**2 - gammaln(counts + 1))
    tabled = (chance * np.abs(np.sqrt(counts) - root)).sum(axis=1)
    return np.append(tabled, math.sqrt(1 / (2 * math.pi)))


def r_factor_of_noise(model: Floats, amplitude: Floats, counting: Counting) -> float:
    r"""Give the R-factor that counting noise leaves of frames whose mean counts are known.

    Parameters
    ----------
    model : ndarray of float, shape (k, N, N)
        Amplitudes without noise, up to one factor.
    amplitude : ndarray of float, shape (k, N, N)
        As measured.
    counting : Counting
        What one photon is.

    Returns
    -------
    float
        NaN where nothing was measured.

    Notes
    -----
    :math:`\sum E|\sqrt n - \sqrt\lambda| / \sum \sqrt n` over all pixels, as
    :func:`expected_difference` has it, with as many expected counts :math:`\lambda` in all as there
    are counts n: of a common factor, that is the most likely one.
    """
    measured, power, modelled = (
        float(each.sum())
        for each in (
            sum_of_each(amplitude),
            sum_of_each(amplitude, amplitude),
            sum_of_each(model, model),
        )
    )
    if not measured > 0 or not modelled > 0:
        return math.nan
    factor = math.sqrt(power / modelled / counting.unit)
    # One frame after the other: what is made of one is still in the processor's cache.
    left = math.fsum(float(expected_difference(each * factor).sum()) for each in model)
    return left * math.sqrt(counting.unit) / measured

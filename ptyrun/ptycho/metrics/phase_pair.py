"""Where do two fields have phases that can be compared, and which are they?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import label
from skimage.restoration import unwrap_phase

# Of an image's typical amplitude. With less, noise that is hardly seen decides the phase.
NEARLY_ZERO = 0.05

N_BINS = 512
DECAY_RAD = 0.3
# A phase that leaves so much of the circle free has no wraps, however steep it is.
FREE_RAD = 0.5

Image = NDArray[np.floating[Any]]
Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]

# Of fewer pixels, figures say little; of still fewer, which the fits of a factor and a ramp use up,
# nothing.
FEWEST_PX, LEAST_PX = 256, 16
NOWHERE = f"fewer than {LEAST_PX} pixels have amplitude enough for a phase"
MANY_TURNS = "the phase passes more than one turn and cannot be unwrapped"


@dataclass(frozen=True)
class PhasePair:
    """Phases of two fields, one branch for both, continuous where they are defined.

    Attributes
    ----------
    recon, truth : ndarray of float64, shape (H, W)
        In radians.
    defined : ndarray of bool, shape (H, W)
        Where both have a phase.
    expected : ndarray of bool, shape (H, W)
        Where the truth has one.
    lost : ndarray of bool, shape (H, W)
        Where the truth has one and the first has none, whatever other arms have.
    why_none : str
        Why these are not numbers to compare; the wrapped difference always is.
    """

    recon: Image
    truth: Image
    defined: Mask
    expected: Mask
    lost: Mask
    why_none: str = ""

    @classmethod
    def of(
        cls, recon: Complex2D, truth: Complex2D, covered: Mask, within: Mask | None = None
    ) -> Self:
        """Find the phases of an aligned pair.

        Both are turned so that the cut of the circle lies where the truth has fewest phases. A
        truth that passes more than one turn is unwrapped, and so is the other.

        Parameters
        ----------
        recon, truth : ndarray of complex, shape (H, W)
            Aligned.
        covered : ndarray of bool, shape (H, W)
            Where the first is known.
        within : ndarray of bool, shape (H, W), optional
            Where *defined* may be true at most.

        Notes
        -----
        Only phases without residues are unwrapped: there the result is one, whatever the path.
        Sources: Goldstein, Zebker and Werner, Radio Sci. 23, 713 (1988),
        doi:10.1029/RS023i004p00713 (residues); Herraez et al., Appl. Opt. 41, 7437 (2002),
        doi:10.1364/AO.41.007437, as in scikit-image.
        """
        expected = where_defined(truth, covered)
        own_defined = expected & where_defined(recon, covered)
        lost = expected & ~own_defined
        defined = own_defined if within is None else own_defined & within
        turn = turn_to_middle(truth, expected)
        own, wanted = (np.angle(image * turn) for image in (recon, truth))
        if defined.sum() < LEAST_PX:
            return cls(own, wanted, defined, expected, lost, NOWHERE)
        if float(np.abs(wanted[defined]).max()) < np.pi - FREE_RAD:
            return cls(own, wanted, defined, expected, lost)
        thin = not _has_jumps(wanted, defined)
        target = wanted if thin else _unwrapped(wanted, defined)
        followed = _unwrapped(own, defined) if _has_jumps(own, defined) else own
        if followed is None and thin:
            followed = own  # the truth has no wraps: those of the other are its errors
        if target is None or followed is None:
            return cls(own, wanted, defined, expected, lost, MANY_TURNS)
        turns = np.rint((followed - target)[defined].mean() / (2 * np.pi))
        return cls(followed - 2 * np.pi * turns, target, defined, expected, lost)


def where_defined(image: Complex2D, covered: Mask) -> Mask:
    """Tell where an image (H, W) has a phase: where its amplitude is not nearly zero.

    That is more than 5 % of what is typical of the image: the amplitude above which half of its
    sum lies, which neither empty surroundings nor a few hot pixels change.

    Parameters
    ----------
    image : ndarray of complex, shape (H, W)
        The field.
    covered : ndarray of bool, shape (H, W)
        Where it is known.

    Returns
    -------
    ndarray of bool, shape (H, W)
        Where it has a phase.
    """
    amplitude = np.abs(image)
    return np.asarray(covered & (amplitude > NEARLY_ZERO * _typical(amplitude[covered])))


def _typical(amplitude: Image) -> float:
    ordered = np.sort(amplitude)
    total = np.cumsum(ordered, dtype=np.float64)
    if not total.size or total[-1] == 0:
        return 0.0
    return float(ordered[np.searchsorted(total, total[-1] / 2)])


def passes_a_turn(phase: Image, where: Mask) -> bool:
    """Tell whether phases (H, W), turned to the middle of their range, still go round the circle.

    A few pixels beyond the cut are noise: there must be jumps as long as a quarter of a side.

    Parameters
    ----------
    phase : ndarray of float, shape (H, W)
        In radians.
    where : ndarray of bool, shape (H, W)
        Which pixels count.

    Returns
    -------
    bool
        True where phases pass more than one turn.
    """
    if not where.any() or float(np.abs(phase[where]).max()) < np.pi - FREE_RAD:
        return False
    jumps = sum(
        int((np.abs(np.diff(phase, axis=axis)) > np.pi)[_both(where, axis)].sum())
        for axis in (0, 1)
    )
    return bool(jumps >= min(phase.shape) / 4)


def turn_to_middle(truth: Complex2D, where: Mask) -> complex:
    """Find the factor that brings the middle of the range of phases to zero.

    The circle is cut where phases are fewest, of a histogram that begins at their mean: the factor
    turns with the image, so that what is measured depends on no global phase.

    Parameters
    ----------
    truth : ndarray of complex, shape (H, W)
        The field.
    where : ndarray of bool, shape (H, W)
        Which pixels count.

    Returns
    -------
    complex
        Of modulus 1.
    """
    values = truth[where]
    if not values.size:
        return 1.0 + 0.0j
    start = complex(np.exp(-1j * np.angle(values.mean())))
    part = (np.angle(values * start) + np.pi) / (2 * np.pi)
    counts = np.bincount((part * N_BINS).astype(np.int64) % N_BINS, minlength=N_BINS)
    bins = np.arange(N_BINS)
    away_rad = np.minimum(bins, N_BINS - bins) * (2 * np.pi / N_BINS)
    # Its long tails find the middle of a wide gap.
    kernel = fft.rfft(np.exp(-away_rad / DECAY_RAD))
    density = fft.irfft(fft.rfft(counts) * kernel, N_BINS)
    cut_rad = (int(np.argmin(density)) + 0.5) * (2 * np.pi / N_BINS)
    return start * complex(np.exp(-1j * cut_rad))


def _unwrapped(phase: Image, where: Mask) -> Image | None:
    """Unwrap over one piece without residues; None if there are some, or several pieces."""
    if label(where)[1] > 1 or _has_residues(phase, where):
        return None
    found = unwrap_phase(np.ma.masked_array(phase, ~where), rng=0)  # type: ignore[no-untyped-call]
    smooth = np.where(where, np.ma.getdata(found), 0.0)
    # A residue may hide in a hole.
    if _has_jumps(smooth, where):
        return None
    turns = np.rint((smooth - phase)[where].mean() / (2 * np.pi))
    return np.asarray(np.where(where, smooth - 2 * np.pi * turns, phase))


def _has_jumps(phase: Image, where: Mask) -> bool:
    """Whether neighbours differ by more than half a turn."""
    return any(
        bool((np.abs(np.diff(phase, axis=axis)) > np.pi)[_both(where, axis)].any())
        for axis in (0, 1)
    )


def _both(where: Mask, axis: int) -> Mask:
    return where[1:] & where[:-1] if axis == 0 else where[:, 1:] & where[:, :-1]


def _has_residues(phase: Image, where: Mask) -> bool:
    """Whether the wrapped steps around any four neighbours do not add up to nothing."""
    down, right = (_wrapped(np.diff(phase, axis=axis)) for axis in (0, 1))
    around = down[:, :-1] + right[1:] - down[:, 1:] - right[:-1]
    whole = where[1:, 1:] & where[1:, :-1] & where[:-1, 1:] & where[:-1, :-1]
    return bool((np.abs(around) > np.pi)[whole].any())


def _wrapped(phase: Image) -> Image:
    return np.asarray((phase + np.pi) % (2 * np.pi) - np.pi)

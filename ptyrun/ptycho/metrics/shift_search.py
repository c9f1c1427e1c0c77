"""Which shifts may bring one field onto another?

Candidates are peaks of correlations, plain and whitened, of the fields and of their magnitudes:
whitened ones are sharp but lost in smooth images, magnitudes say little of an object of phase alone
and fields nothing where a ramp is not known yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import maximum_filter

from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.aligned import Aligned
from ptyrun.ptycho.metrics.ramps import Ramp
from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.ptycho.metrics.spectra import quickly_transformed

EDGE = 0.1  # of each side, tapered before images are correlated
# Lower peaks of a correlation are not candidates: those of a periodic object are nearly as high.
NEARLY_HIGHEST = 0.8
PEAKS_EACH = 4
PEAK_PX = 5
SAME_PX = 0.5
ONE_BASIN_PX = 1.5  # shifts so near each other are followed to one
DIP = 1e-3  # of agreement, between two shifts that are not one
# A larger shift is believed only if the fields then agree better still: of so many shifts, the best
# one brings unlike images, of which little is known, to 0.36.
SMALL_SHIFT_PX = 8.0
LARGEST_SHIFT = 0.25  # of what is covered along that side
AGREEMENT_AFAR = 0.45
SNAP_PX = 0.01
FAINT_MEAN = 0.1  # of the strength of both fields

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


def candidates(
    recon: Complex2D, truth: Complex2D, covered: Mask, farthest: float
) -> tuple[Shift, ...]:
    """Whole shifts that the peaks of correlations propose, each once.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (h, w)
        Without ramp, as far as it is known.
    covered : ndarray of bool, shape (h, w)
        Where the first is known.
    farthest : float
        Of each side, how far a shift may be.

    Returns
    -------
    tuple of Shift
        In whole pixels.
    """
    middle = quickly_transformed(covered.shape)
    recon, truth, covered = recon[middle], truth[middle], covered[middle]
    if not covered.any():
        return ()
    window = np.outer(*map(_taper, covered.shape))
    found: list[Shift] = []
    for of in (lambda image: image, np.abs):
        first, second = of(recon), of(truth)
        own, wanted = ((image - image[covered].mean()) * window for image in (first, second))
        own[~covered] = 0
        if np.isrealobj(own):  # means of magnitudes know of no turn
            one, other = (fft.rfft2(image.astype(np.float32)) for image in (own, wanted))
            cross = other * one.conj()
            for product in (cross, _whitened(cross)):
                found += _peaks(_Correlation.real(product, own.shape, farthest))
            continue
        one, other = (fft.fft2(image.astype(np.complex64)) for image in (own, wanted))
        cross = other * one.conj()
        turn = np.complex64(_turn(first[covered], second[covered], cross))
        for product in (cross, _whitened(cross)):
            found += _peaks(_Correlation.of(turn * product, farthest))
    return tuple(dict.fromkeys(found))


def _turn(recon: Complex2D, truth: Complex2D, cross: Complex2D) -> complex:
    """Find the factor that makes a correlation real at its peak: the fields' phase is arbitrary.

    It is told by what the means are to each other, which knows of inverted contrast, or by the
    highest peak where there is hardly a mean.
    """
    between = complex(recon.mean() * truth.mean().conj())
    strength = float(np.sqrt((np.abs(recon) ** 2).mean() * (np.abs(truth) ** 2).mean()))
    if abs(between) < FAINT_MEAN * strength:
        correlation = fft.ifft2(cross)
        between = complex(correlation.flat[int(np.argmax(np.abs(correlation)))].conj())
    return between / abs(between) if between else 1.0 + 0j


def _whitened(cross: Complex2D) -> Complex2D:
    height = np.abs(cross)
    return np.divide(cross, height, out=np.zeros_like(cross), where=height > 0)


def _taper(side: int) -> NDArray[np.float64]:
    edge = max(1, int(EDGE * side))
    profile = np.ones(side)
    profile[:edge] = (1 - np.cos(np.pi * (np.arange(edge) + 0.5) / edge)) / 2
    profile[side - edge :] = profile[:edge][::-1]
    return profile


@dataclass(frozen=True)
class _Correlation:
    """A correlation at shifts that are not too far, and at so much around as peaks rise above.

    Of rows that are not wanted, no column is transformed. *moves* are the shifts of its rows and
    columns, *shape* is that of the images.
    """

    values: NDArray[np.float32]
    moves: tuple[NDArray[np.int64], NDArray[np.int64]]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, product: NDArray[Any], farthest: float) -> Self:
        """Transform the product of two spectra, as of :func:`scipy.fft.fft2`."""
        rows, columns = (_moves(side, farthest) for side in product.shape)
        half = fft.ifft(product, axis=0).take(rows, axis=0, mode="wrap")
        found = fft.ifft(half, axis=1).real.take(columns, axis=1, mode="wrap")
        return cls(found, (rows, columns), product.shape)

    @classmethod
    def real(cls, product: NDArray[Any], shape: tuple[int, ...], farthest: float) -> Self:
        """As :meth:`of`, of real images (h, w), whose spectra :func:`scipy.fft.rfft2` gave."""
        rows, columns = (_moves(side, farthest) for side in shape)
        half = fft.ifft(product, axis=0).take(rows, axis=0, mode="wrap")
        found = fft.irfft(half, shape[1], axis=1).take(columns, axis=1, mode="wrap")
        return cls(found, (rows, columns), shape)


def _moves(side: int, farthest: float) -> NDArray[np.int64]:
    reach = int(farthest * side) + PEAK_PX // 2
    return np.arange(-reach, reach + 1)


def _peaks(correlation: _Correlation) -> Iterator[Shift]:
    """The highest local maxima; of those that are nearly as high, the nearest as well."""
    rim = slice(PEAK_PX // 2, -(PEAK_PX // 2))
    inside = correlation.values[rim, rim]
    highest = maximum_filter(correlation.values, size=PEAK_PX)[rim, rim] == inside
    rows, columns = np.nonzero(highest & (inside > 0))
    if not len(rows):
        return
    values = inside[rows, columns]
    moves = [each[rim] for each in correlation.moves]
    shifts = np.stack([moves[0][rows], moves[1][columns]], axis=1)
    # Equal ones are taken in one order: shifts down and to the right first.
    in_order = np.lexsort((shifts % correlation.shape).T[::-1])
    values, shifts = values[in_order], shifts[in_order]
    by_height = np.argsort(-values)[:PEAKS_EACH]
    alike = np.flatnonzero(values >= NEARLY_HIGHEST * values.max())
    nearest = alike[np.argsort(np.hypot(*shifts[alike].T))[:PEAKS_EACH]]
    for place in dict.fromkeys([*by_height.tolist(), *nearest.tolist()]):
        yield Shift(float(shifts[place][0]), float(shifts[place][1]))


@dataclass(frozen=True)
class Candidate:
    """A shift that may be the right one.

    Attributes
    ----------
    shift : Shift
        In pixels.
    ramp : Ramp
        The ramp that goes with it.
    agreement : float
        How well the fields agree then, in [-1, 1].
    """

    shift: Shift
    ramp: Ramp
    agreement: float


def rolled(image: NDArray[Any], there: Region) -> NDArray[Any]:
    """Cut a region out of an image; what juts out at one side is found at the other.

    Parameters
    ----------
    image : ndarray, shape (H, W)
        Of any dtype.
    there : Region
        It may lie partly outside.

    Returns
    -------
    ndarray, shape (h, w)
        A copy.
    """
    height, width = image.shape
    if 0 <= there.top <= height - there.height and 0 <= there.left <= width - there.width:
        return image[there.slices].copy()
    rows = np.arange(there.top, there.top + there.height)
    columns = np.arange(there.left, there.left + there.width)
    return image.take(rows, axis=0, mode="wrap").take(columns, axis=1, mode="wrap")


def length_px(shift: Shift) -> float:
    """How far a shift leads.

    Parameters
    ----------
    shift : Shift
        In pixels.

    Returns
    -------
    float
        In pixels.
    """
    return float(np.hypot(shift.dy_px, shift.dx_px))


def distinct(found: list[Candidate], apart_px: float = SAME_PX) -> list[Candidate]:
    """Keep one of those that lead to one shift.

    Parameters
    ----------
    found : list of Candidate
        Best first.
    apart_px : float
        Up to which distance shifts are one.

    Returns
    -------
    list of Candidate
        Best first.
    """
    kept: list[Candidate] = []
    for each in found:
        apart = [
            length_px(each.shift + Shift(-other.shift.dy_px, -other.shift.dx_px)) for other in kept
        ]
        if not apart or min(apart) > apart_px:
            kept.append(each)
    return kept


def believable(agreement: float, shift: Shift) -> bool:
    """Whether a shift is near, or fields agree well after it.

    Parameters
    ----------
    agreement : float
        Of the fields after the shift, 0 to 1.
    shift : Shift
        In pixels.

    Returns
    -------
    bool
        Whether it is at most `SMALL_SHIFT_PX`, or the agreement at least `AGREEMENT_AFAR`.
    """
    return max(abs(shift.dy_px), abs(shift.dx_px)) <= SMALL_SHIFT_PX or agreement >= AGREEMENT_AFAR


def elsewhere(
    others: tuple[Shift, ...], found: Aligned, agreement: Callable[[Candidate], float]
) -> tuple[Shift, ...]:
    """Of shifts after which fields agree, keep those between which and one found they agree less.

    Others are where a search for the same shift ended early.

    Parameters
    ----------
    others : tuple of Shift
        In pixels.
    found : Aligned
        What came of the shift that was found.
    agreement : callable
        Of the fields after a shift.

    Returns
    -------
    tuple of Shift
        In the same order.
    """
    apart = []
    for other in others:
        y, x = other.dy_px - found.shift.dy_px, other.dx_px - found.shift.dx_px
        if np.hypot(y, x) <= ONE_BASIN_PX:
            continue
        # A quarter of the way as well: half of the way to the second period lies the first.
        *between, end = (
            agreement(Candidate(found.shift + Shift(part * y, part * x), found.ramp, 0.0))
            for part in (0.25, 0.5, 1.0)
        )
        if min(between) < end - DIP:
            apart.append(other)
    return tuple(apart)


def alike_within(agreement: float) -> float:
    """How much less may fields agree after another shift that is as good as one.

    Parameters
    ----------
    agreement : float
        Of the fields after the better one.

    Returns
    -------
    float
        A difference of agreements.
    """
    return max(0.002, 0.05 * (1 - agreement))


def snapped(shift: Shift) -> Shift:
    """Round what is within a hundredth of whole pixels: a whole shift keeps each pixel.

    Parameters
    ----------
    shift : Shift
        In pixels.

    Returns
    -------
    Shift
        In pixels.
    """
    return Shift(
        *(
            float(round(move)) if abs(move - round(move)) < SNAP_PX else move
            for move in (shift.dy_px, shift.dx_px)
        )
    )

"""Up to which spatial frequency do two images agree?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import GeometryError
from ptyrun.ptycho.metrics.continuation import cosine_window
from ptyrun.ptycho.metrics.masked_correlation import masked_correlation, told_rings
from ptyrun.ptycho.metrics.resampling import interval
from ptyrun.ptycho.metrics.sectors import Plane, crossings, resampled_curves
from ptyrun.ptycho.metrics.spectra import cross_power, power, quickly_transformed, spectrum
from ptyrun.ptycho.metrics.whole_square import whole_square

TAPER_PX = 20
# Of Nyquist. Crossings of the same images at half the resolution are farther off, and by chance.
SETTLED, SURE = 0.015, 0.03
# Of Nyquist: holes leave too few lags to resolve what is coarser. What so many rings say counts.
RESOLVED, BEHIND = 0.1, 16
BEFORE, ROUNDING = 2, 1e-9  # rings before the first one below that must say something, too


@dataclass(frozen=True)
class RingCorrelation:
    """Correlation of each ring of the spectrum, with its sign: of inverted contrast -1.

    Attributes
    ----------
    correlation : ndarray of float64, shape (R,)
        By ring; ring 0 is the mean.
    n_pixels : ndarray of int64, shape (R,)
        How many Fourier pixels each ring has.
    side_px : int
        Of the square images.
    coarser : RingCorrelation, optional
        Of images with holes: a second curve of half the resolution and less noise.
    sectors : ndarray of float64, shape (3, S, R), optional
        What the curve is made of, by direction:
        :meth:`ptyrun.ptycho.metrics.sectors.Plane.sector_sums`.
    """

    correlation: NDArray[np.float64]
    n_pixels: NDArray[np.int64]
    side_px: int
    coarser: NDArray[np.float64] | None = None
    sectors: NDArray[np.float64] | None = None

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Ring radii as fractions of the Nyquist frequency."""
        return np.arange(len(self.correlation)) / (self.side_px / 2)

    @property
    def told(self) -> NDArray[np.bool_]:
        """Which rings say anything (R,).

        Beside holes spectra are estimates: from where they say nothing of a ring, they do so of
        finer ones.
        """
        told = self.estimated.copy()
        told[1:] = np.logical_and.accumulate(told[1:])  # ring 0 is the mean
        return told

    @cached_property
    def estimated(self) -> NDArray[np.bool_]:
        """Of which rings (R,) by themselves anything is known."""
        if self.coarser is None or self.sectors is None:
            return np.ones(len(self.correlation), bool)
        return told_rings(self.sectors, self.n_pixels)

    @cached_property
    def resampled(self) -> NDArray[np.float64] | None:
        """Curves (B, R) of resampled directions."""
        return None if self.sectors is None else resampled_curves(self.sectors)


@dataclass(frozen=True)
class Crossing:
    """Where a curve falls below a threshold.

    ``nyquist_fraction`` is None where it never does: the images agree up to Nyquist; NaN where
    there is no curve.
    """

    nyquist_fraction: float | None


Threshold = Callable[[RingCorrelation], NDArray[np.float64]]


class Noise(StrEnum):
    """Which of two images has noise? What a correlation says of the signal depends on it."""

    BOTH = "two noisy images"
    FIRST = "one noisy image against a noise-free one"


def ring_modulus(first: NDArray[Any], second: NDArray[Any]) -> RingCorrelation:
    r"""Correlate the spectra of two square images ring by ring, as upstream does: of no sign.

    Parameters
    ----------
    first, second : ndarray, shape (N, N)
        Real or complex.

    Returns
    -------
    RingCorrelation
        In [0, 1] at every ring, out to the corner.

    Raises
    ------
    GeometryError
        If the images are not square and of one size.

    Notes
    -----
    :math:`|\sum F_1 F_2^*| / \sqrt{\sum |F_1|^2 \sum |F_2|^2}` over the Fourier pixels whose
    radius rounds to the ring's number. Sources: Saxton and Baumeister, J. Microsc. 127, 127 (1982),
    doi:10.1111/j.1365-2818.1982.tb00405.x; van Heel and Schatz, J. Struct. Biol. 151, 250 (2005),
    doi:10.1016/j.jsb.2005.05.009.
    """
    total, norm, n_pixels = _ring_sums(first, second)
    return _rings(np.abs(total), norm, n_pixels, first.shape[0])


def _rings(
    total: NDArray[np.float64], norm: NDArray[np.float64], n_pixels: NDArray[np.int64], side_px: int
) -> RingCorrelation:
    correlation = np.divide(total, norm, out=np.zeros_like(norm), where=norm > 0)
    return RingCorrelation(correlation, n_pixels, side_px)


def _ring_sums(
    first: NDArray[Any], second: NDArray[Any]
) -> tuple[NDArray[np.complex128], NDArray[np.float64], NDArray[np.int64]]:
    """Of each ring: the sum of F1 F2*, what it is at most, and the number of Fourier pixels."""
    side = first.shape[0]
    if first.shape != (side, side) or second.shape != (side, side):
        raise GeometryError(
            "ring correlation takes two square images of one size",
            why=f"these are {first.shape} and {second.shape}",
            do="crop both to one square",
        )
    is_real = np.isrealobj(first) and np.isrealobj(second)
    plane = Plane.of(side, is_real=is_real)
    one, other = (spectrum(image, is_real=is_real) for image in (first, second))
    total = plane.sums(cross_power(one, other)).astype(np.complex128)
    if not is_real:  # else each pixel has its conjugate in the same ring
        total += 1j * plane.sums((one * other.conj()).imag)
    powers = [plane.sums(power(each)) for each in (one, other)]
    return total, np.sqrt(powers[0] * powers[1]), plane.n_pixels


def tapered_correlation(
    first: NDArray[Any],
    second: NDArray[Any],
    covered: NDArray[np.bool_] | None = None,
    taper_px: int = TAPER_PX,
) -> RingCorrelation:
    """Correlate up to Nyquist, with edges tapered so that they do not correlate by themselves.

    Parameters
    ----------
    first, second : ndarray, shape (H, W)
        Their centre square is used, of a side without large prime factors, less its mean.
    covered : ndarray of bool, shape (H, W), optional
        Pixels that count. Where some do not, the curve is that of the largest square without
        holes, :func:`ptyrun.ptycho.metrics.whole_square.whole_square`, or, where that is small, of
        :func:`ptyrun.ptycho.metrics.masked_correlation.masked_correlation`.
    taper_px : int
        Width of the raised cosine at each edge; at most a quarter of the side.

    Returns
    -------
    RingCorrelation
        Up to Nyquist.
    """
    side = min(first.shape)
    top, left = ((length - side) // 2 for length in first.shape)
    square = (slice(top, top + side), slice(left, left + side))
    pair = (first[square], second[square])
    if covered is not None and not covered[square].all():
        whole = whole_square(covered[square])
        if whole is not None:
            return _tapered((pair[0][whole], pair[1][whole]), taper_px)
        rings = side // 2 + 1
        fine, coarse, sums = masked_correlation(*pair, covered[square])
        n_pixels = Plane.of(side, is_real=True).n_pixels[:rings]
        sectors = None if sums is None else sums[..., :rings]
        return RingCorrelation(fine[:rings], n_pixels, side, coarse[:rings], sectors)
    return _tapered(pair, taper_px)


def _tapered(pair: tuple[NDArray[Any], NDArray[Any]], taper_px: int) -> RingCorrelation:
    """Correlate with its sign, up to Nyquist, with the sectors of each ring."""
    images = [image[quickly_transformed(image.shape)] for image in pair]
    side = len(images[0])
    is_real = all(map(np.isrealobj, images))
    plane = Plane.of(side, is_real=is_real)
    window = cosine_window(side, min(taper_px, side // 4))
    # One image after the other: of a large one, each is as much memory as all that is compared.
    one, other = (
        spectrum((each - each.mean()) * window, is_real=is_real, overwrite=True) for each in images
    )
    rings = side // 2 + 1
    powers = [plane.sector_sum(power(each)) for each in (one, other)]
    sums = np.stack([plane.sector_sum(cross_power(one, other)), *powers])[..., :rings]
    total, *powers = sums.sum(axis=1)
    found = _rings(total, np.sqrt(powers[0] * powers[1]), plane.n_pixels[:rings], side)
    return replace(found, sectors=sums)


def unknown(rings: RingCorrelation) -> RingCorrelation:
    """Give a curve of the same rings that says nothing.

    Parameters
    ----------
    rings : RingCorrelation
        Whose rings these are.

    Returns
    -------
    RingCorrelation
        NaN at every ring.
    """
    return replace(rings, correlation=np.full(len(rings.correlation), np.nan), sectors=None)


def fixed(level: float) -> Threshold:
    """Build a threshold of one level at every ring: 0.5, or 1/7.

    Parameters
    ----------
    level : float
        The correlation.

    Returns
    -------
    Threshold
        The same at every ring.
    """
    return lambda rings: np.full(len(rings.correlation), level)


def bits(information: float) -> Threshold:
    r"""Build the threshold at which a ring carries that many bits per pixel.

    Parameters
    ----------
    information : float
        b, in bits: 1/2, or 1.

    Returns
    -------
    Threshold
        By the number of pixels of each ring.

    Notes
    -----
    With :math:`s = 2^b - 1` the signal-to-noise ratio wanted of the whole data, each half having
    half of it, and n pixels in the ring:
    :math:`(s/2 + 2\sqrt{s/2}/\sqrt n + 1/\sqrt n) / (s/2 + 1 + 2\sqrt{s/2}/\sqrt n)`; for half a
    bit (0.2071 + 1.9102/sqrt n)/(1.2071 + 0.9102/sqrt n).
    Source: van Heel and Schatz, J. Struct. Biol. 151, 250 (2005), doi:10.1016/j.jsb.2005.05.009.
    """
    snr = (2**information - 1) / 2

    def threshold(rings: RingCorrelation) -> NDArray[np.float64]:
        root = np.sqrt(np.maximum(rings.n_pixels, 1))
        spread = 2 * np.sqrt(snr) / root
        return np.asarray((snr + spread + 1 / root) / (snr + 1 + spread))

    return threshold


def level_of_bits(information: float) -> float:
    """Give the level T that :func:`bits` tends to in rings of many pixels: s/2 / (s/2 + 1).

    Parameters
    ----------
    information : float
        b, in bits.

    Returns
    -------
    float
        T.
    """
    snr = (2**information - 1) / 2
    return snr / (snr + 1)


def against_truth(level: float) -> Threshold:
    r"""Build the threshold for one noisy image and a noise-free one from that T for two noisy ones.

    Parameters
    ----------
    level : float
        T.

    Returns
    -------
    Threshold
        The same at every ring.

    Notes
    -----
    Two images of signal-to-noise ratio s correlate by s/(1+s), one of them and the signal by
    :math:`\sqrt{s/(1+s)}`; both halves together have twice the ratio of T:
    :math:`\sqrt{2T/(1+T)}`, 0.5 for 1/7, 0.54 for half a bit and 0.71 for one. Source: Rosenthal
    and Henderson, J. Mol. Biol. 333, 721 (2003), doi:10.1016/j.jmb.2003.07.013. That few pixels of
    noise correlate with noise is no concern here: the level is one at every ring.
    """
    return fixed(float(np.sqrt(2 * level / (1 + level))))


def crossing(rings: RingCorrelation, threshold: Threshold) -> Crossing:
    """Find where the curve first falls below the threshold, linearly interpolated.

    Ring 0, the mean, is not a frequency. NaN where the curve is.

    Parameters
    ----------
    rings : RingCorrelation
        The curve.
    threshold : Threshold
        Its level at each ring.

    Returns
    -------
    Crossing
        In fractions of Nyquist.

    Notes
    -----
    Of images with holes, the fewer lags a curve is made of, the broader it is and the later it
    falls: by so much as the coarser curve falls later than it, it falls later than a curve of all
    lags, and that much is taken off. NaN where both fall farther apart than 0.015, or resampled
    directions let it fall more than 0.03 away: then holes decide, or chance. So they do where the
    curve falls below 0.1 of Nyquist, where holes leave hardly a ring apart, and rises at once, and
    where nothing is known of the rings in which it falls.
    """
    found = _crossing(rings, threshold)
    if rings.coarser is None:
        return found
    fine = _or_nyquist(found)
    coarse = _or_nyquist(_crossing(replace(rings, correlation=rings.coarser), threshold))
    if not abs(coarse - fine) <= SETTLED or not _is_sure(rings, threshold, fine):
        return Crossing(np.nan)
    if not _is_estimated(rings, fine) or (fine < RESOLVED and _rises_again(rings, threshold, fine)):
        return Crossing(np.nan)
    settled = max(2 * fine - coarse, float(rings.frequencies[1]))
    return Crossing(None) if settled >= 1 else Crossing(settled)


def _is_estimated(rings: RingCorrelation, found: float) -> bool:
    first_below = int(np.ceil(found * rings.side_px / 2 - ROUNDING))
    return bool(rings.estimated[max(1, first_below - BEFORE) : first_below + 1].all())


def _rises_again(rings: RingCorrelation, threshold: Threshold, found: float) -> bool:
    first = int(found * rings.side_px / 2) + 1
    behind = (rings.correlation >= threshold(rings))[first : first + BEHIND]
    return bool(behind.size and behind.mean() > 0.5)


def _is_sure(rings: RingCorrelation, threshold: Threshold, found: float) -> bool:
    if rings.resampled is None:
        return True
    ends = interval(crossings(rings.resampled, threshold(rings), rings.side_px))
    return ends is None or max(found - ends[0], ends[1] - found) <= SURE


def _or_nyquist(found: Crossing) -> float:
    return 1.0 if found.nyquist_fraction is None else found.nyquist_fraction


def _crossing(rings: RingCorrelation, threshold: Threshold) -> Crossing:
    if np.isnan(rings.correlation).any():
        return Crossing(np.nan)
    gap = rings.correlation - threshold(rings)
    low = np.flatnonzero(gap[1:] < 0) + 1
    if len(low) == 0:
        return Crossing(None)
    ring = int(low[0])
    if ring == 1:
        return Crossing(float(rings.frequencies[ring]))
    part = gap[ring - 1] / (gap[ring - 1] - gap[ring])
    return Crossing(float((ring - 1 + part) / (rings.side_px / 2)))

"""Up to which spatial frequency do two images agree that have holes?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ptyrun.ptycho.metrics.sectors import Plane

LAG_PX = 48  # or a quarter of the side, where that is more
# A lag that fewer pairs of pixels have says nothing.
FEWEST_PAIRS = 50
# Where fewer covered pixels have a covered neighbour, holes are too fine to tell.
LEAST_PAIRED = 0.6
# The spectrum of fewer known pixels correlates with anything.
FEWEST_PIXELS = 64
# Of all lags, as they count, those without pairs: patterns of holes leave out every second one.
MOST_LACKING = 0.01
BY_CHANCE = 1.25  # more than it can be, estimates may have in common of equal images
# Of the strongest coarser ring's power: what holes leave of that is as strong.
FAINT = 0.006

Mask = NDArray[np.bool_]


def masked_correlation(
    first: NDArray[Any], second: NDArray[Any], covered: Mask
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    r"""Correlate two square images (N, N) ring by ring, over covered pixels alone.

    Parameters
    ----------
    first, second : ndarray, shape (N, N)
        Real or complex; finite where they are covered.
    covered : ndarray of bool, shape (N, N)
        Where both are known.

    Returns
    -------
    tuple of ndarray, shape (R,)
        The curve, and one of half the resolution, with less noise; NaN where hardly a pixel is
        covered. Then what the first is made of, by direction (3, S, R), if there is one.

    Notes
    -----
    A mask that multiplies both images correlates by itself: what it leaks from low frequencies is
    the same in both. Here the covariances are averaged over the pairs of covered pixels of each
    lag, and only then Fourier transformed: the mask's autocorrelation is divided out, as in
    Hivon et al., Astrophys. J. 567, 2 (2002), doi:10.1086/338126. Both images are differentiated
    first, which weighs all spectra of a ring alike and leaves little to leak, and lags are tapered:
    Blackman and Tukey, Bell Syst. Tech. J. 37, 185 (1958),
    doi:10.1002/j.1538-7305.1958.tb03874.x. :func:`ptyrun.ptycho.metrics.frc.crossing` tells where
    more and fewer lags, or these and other directions, make curves that fall apart. What is left of
    known transfer functions, half covered, ragged or in discs of 5 to 25 px in 160 and 256 px,
    moves by up to 0.010 of Nyquist against a noise-free image and 0.027 between noisy ones.
    """
    side, n_covered = first.shape[0], int(covered.sum())
    lag_px = min(max(LAG_PX, side // 4), side // 2 - 1, int(math.sqrt(n_covered) / 2))
    n_paired = min(
        int((covered[1:] & covered[:-1]).sum()), int((covered[:, 1:] & covered[:, :-1]).sum())
    )
    nothing = np.full(Plane.of(side, is_real=True).n_rings, np.nan)
    if n_covered < FEWEST_PIXELS or lag_px < 2 or n_paired < LEAST_PAIRED * n_covered:
        return nothing, nothing, None
    sums, lacking = _covariances(first, second, covered, lag_px)
    if lacking > MOST_LACKING:
        return nothing, nothing, None
    fine = _sectors(sums, side, lag_px)
    coarse = _sectors(sums, side, max(2, lag_px // 2))
    return _curve(fine), _curve(coarse), fine


def told_rings(sectors: NDArray[np.float64], n_pixels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell of which rings estimates beside holes say anything.

    Nothing is known of a correlation where they leave no power, far more in common than power, or
    so little power beside coarser rings that it may be theirs.

    Parameters
    ----------
    sectors : ndarray of float64, shape (3, S, R)
        From :func:`masked_correlation`.
    n_pixels : ndarray of int, shape (R,)
        How many Fourier pixels each ring has.

    Returns
    -------
    ndarray of bool, shape (R,)
        Of each ring by itself.
    """
    cross, *own = sectors.sum(axis=1)
    most = np.sqrt(np.maximum(own[0], 0) * np.maximum(own[1], 0))
    told = (most > 0) & (np.abs(cross) <= BY_CHANCE * most)
    for each in own:
        per_pixel = each / n_pixels
        told &= per_pixel >= FAINT * np.maximum.accumulate(per_pixel)
    return np.asarray(told)


def _covariances(
    first: NDArray[Any], second: NDArray[Any], covered: Mask, lag_px: int
) -> tuple[list[NDArray[Any]], float]:
    """Mean products of derivatives (2 L + 1, 2 L + 1) by lag, and which share of lags lacks pairs.

    Of both, of the first, and of the second.
    """
    sums: list[NDArray[Any]] = [np.zeros((1, 1))] * 3
    taper, lacking = _taper(lag_px), 0.0
    for axis in (0, 1):
        known = covered[1:] & covered[:-1] if axis == 0 else covered[:, 1:] & covered[:, :-1]
        images = [_centred(np.diff(image, axis=axis), known) for image in (first, second)]
        shape = tuple(fft.next_fast_len(length + lag_px) for length in known.shape)
        # Spectra of real images are half as large.
        is_real = all(np.isrealobj(image) for image in images)
        spectra = [(fft.rfft2 if is_real else fft.fft2)(image, shape) for image in images]
        mask = fft.rfft2(known.astype(np.float64), shape)
        pairs = _at_lags(mask, mask, shape, lag_px, is_real=True)
        share = np.where(pairs > FEWEST_PAIRS, 1 / np.maximum(pairs, 1), 0.0)
        lacking = max(lacking, float(taper[share == 0].sum() / taper.sum()))
        products = ((0, 1), (0, 0), (1, 1))
        sums = [
            total + _at_lags(spectra[one], spectra[other], shape, lag_px, is_real=is_real) * share
            for total, (one, other) in zip(sums, products, strict=True)
        ]
    return sums, lacking


def _taper(lag_px: int) -> NDArray[np.float64]:
    lags = np.arange(-lag_px, lag_px + 1)
    far = np.hypot(lags[:, None], lags[None, :]) / lag_px
    return np.where(far < 1, (1 + np.cos(np.pi * np.minimum(far, 1))) / 2, 0.0)


def _centred(image: NDArray[Any], known: Mask) -> NDArray[Any]:
    values = image[known]
    return np.where(known, image - values.mean(), 0) if values.size else np.zeros_like(image)


def _at_lags(
    one: NDArray[Any],
    other: NDArray[Any],
    shape: tuple[int, ...],
    lag_px: int,
    *,
    is_real: bool,
) -> NDArray[Any]:
    """Sum of products (2 L + 1, 2 L + 1) over all pairs of each lag, from -L to L, by spectra."""
    product = one * other.conj()
    summed = fft.irfft2(product, shape) if is_real else fft.ifft2(product)
    lags = np.arange(-lag_px, lag_px + 1)
    return np.asarray(summed[np.ix_(lags % shape[0], lags % shape[1])])


def _sectors(sums: list[NDArray[Any]], side: int, lag_px: int) -> NDArray[np.float64]:
    middle = sums[0].shape[0] // 2
    lags = np.arange(-lag_px, lag_px + 1)
    taper = _taper(lag_px)
    is_real = all(np.isrealobj(total) for total in sums)
    spectra = []
    for total in sums:
        inside = slice(middle - lag_px, middle + lag_px + 1)
        placed = np.zeros((side, side), total.dtype)
        placed[np.ix_(lags % side, lags % side)] = total[inside, inside] * taper
        spectra.append((fft.rfft2 if is_real else fft.fft2)(placed).real.ravel())
    both, *own = spectra
    return Plane.of(side, is_real=is_real).sector_sums(both, (own[0], own[1]))


def _curve(sectors: NDArray[np.float64]) -> NDArray[np.float64]:
    both, *own = sectors.sum(axis=1)
    norm = np.sqrt(np.maximum(own[0], 0) * np.maximum(own[1], 0))
    curve = np.divide(both, norm, out=np.zeros_like(norm), where=norm > 0)
    return np.asarray(np.clip(curve, -1, 1))

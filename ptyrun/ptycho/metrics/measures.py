"""How near is a reconstruction to the truth, by the measures of the literature?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from ptyrun.ptycho.metrics.factors import ROUNDING, global_factor
from ptyrun.ptycho.metrics.masks import halved_mask, whole_windows

WANG_SIGMA_PX = 1.5
WANG_WINDOW_PX = 11
WANG_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


# With so large a constant the luminance term of SSIM is 1, and contrast times structure remains.
NO_LUMINANCE = 1e6

Image = NDArray[np.floating[Any]]
Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


def value_range(truth: Image, covered: Mask, unit: float) -> float:
    """Range of the truth over the covered pixels; 0 if it is no more than rounding of *unit*.

    Parameters
    ----------
    truth : ndarray of float, shape (H, W)
        In any unit.
    covered : ndarray of bool, shape (H, W)
        Which pixels count.
    unit : float
        What is typical of the values, in their unit.

    Returns
    -------
    float
        In the same unit.
    """
    found = float(np.ptp(truth[covered]))
    return found if found > ROUNDING * unit else 0.0


def weighted_mean(values: Image, weights: Image) -> float:
    """Mean (k,) by weights, of which not all are zero; else NaN.

    Parameters
    ----------
    values, weights : ndarray of float, shape (k,)
        Weights are not negative.

    Returns
    -------
    float
        In the unit of the values, or NaN.
    """
    total = float(np.sum(weights, dtype=np.float64))
    return float(np.sum(values * weights, dtype=np.float64)) / total if total > 0 else math.nan


def phase_difference(recon: Complex2D, truth: Complex2D) -> NDArray[np.float64]:
    """Phase of R O*, in (-pi, pi]: a difference that knows no wraps.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (k,) or (H, W)
        R and O.

    Returns
    -------
    ndarray of float64, of the same shape
        In radians.
    """
    return np.asarray(np.angle(recon * truth.conj()), np.float64)


def psnr(mse: float, data_range: float) -> float:
    r"""Peak signal-to-noise ratio in dB, by the range of the truth; infinite without error.

    :math:`10 \log_{10}(L^2 / \mathrm{MSE})`. Source: Huynh-Thu and Ghanbari, Electron. Lett. 44,
    800 (2008), doi:10.1049/el:20080522.

    Parameters
    ----------
    mse : float
        Mean squared error.
    data_range : float
        L, in the unit of the error's root.

    Returns
    -------
    float
        In dB.
    """
    if mse <= 0:
        return math.inf
    return float(10 * np.log10(data_range**2 / mse)) if data_range > 0 else math.nan


def ssim(
    recon: Image, truth: Image, covered: Mask, data_range: float, *, luminance: bool = True
) -> float:
    """Structural similarity by the range of the truth, averaged over wholly covered windows.

    With *luminance*, images count from zero: their means are compared by their ratio. What has no
    zero, as a phase, goes without: contrast times structure. Gaussian window of 11 px, sigma 1.5.
    Source: Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image Process. 13, 600 (2004),
    doi:10.1109/TIP.2003.819861. NaN without range, or where no window is covered.

    Parameters
    ----------
    recon, truth : ndarray of float, shape (H, W)
        In one unit.
    covered : ndarray of bool, shape (H, W)
        Where the first is known.
    data_range : float
        Range of the truth, in the same unit.
    luminance : bool
        Whether there is a zero to count from.

    Returns
    -------
    float
        At most 1, or NaN.
    """
    windows = whole_windows(covered, WANG_WINDOW_PX)
    if data_range == 0 or not windows.any():
        return math.nan
    return _mean_similarity(recon, truth, windows, data_range, luminance=luminance)


def wang_scales(covered: Mask) -> list[Mask]:
    """Middles of the wholly covered windows, at each of at most 5 scales that has any.

    Parameters
    ----------
    covered : ndarray of bool, shape (H, W)
        Where an image is known.

    Returns
    -------
    list of ndarray of bool, shape (h, w)
        One for each scale, finest first; each has half the side of the one before.
    """
    scales: list[Mask] = []
    while len(scales) < len(WANG_WEIGHTS):
        windows = whole_windows(covered, WANG_WINDOW_PX)
        if not windows.any():
            break
        scales.append(windows)
        covered = halved_mask(covered)
    return scales


def ms_ssim(
    recon: Image, truth: Image, covered: Mask, data_range: float, *, luminance: bool = True
) -> float:
    """Multi-scale structural similarity by the range of the truth.

    Contrast and structure at every scale, *luminance*, where there is a zero to count from, at the
    coarsest, to the power of Wang's five weights; scales follow by averaging 2 x 2 pixels. Images
    below 161 px, and those of which no large piece is covered, have fewer scales
    (:func:`wang_scales`); the weights of those that fit are then normalised to 1. Source: Wang,
    Simoncelli and Bovik, Asilomar 2003, doi:10.1109/ACSSC.2003.1292216, made of scikit-image's
    ``structural_similarity``. NaN without a scale or a range.

    Parameters
    ----------
    recon, truth : ndarray of float, shape (H, W)
        In one unit.
    covered : ndarray of bool, shape (H, W)
        Where the first is known.
    data_range : float
        Range of the truth, in the same unit.
    luminance : bool
        Whether there is a zero to count from.

    Returns
    -------
    float
        At most 1, or NaN.
    """
    scales = wang_scales(covered)
    if not scales or data_range == 0:
        return math.nan
    weights = np.array(WANG_WEIGHTS[: len(scales)]) / sum(WANG_WEIGHTS[: len(scales)])
    product = 1.0
    for scale, (weight, windows) in enumerate(zip(weights, scales, strict=True), start=1):
        last = scale == len(scales)
        found = _mean_similarity(recon, truth, windows, data_range, luminance=luminance and last)
        product *= max(found, 0.0) ** float(weight)
        if not last:
            recon, truth = halved(recon), halved(truth)
    return product


def contrast_correlation(recon: Image | Complex2D, truth: Image | Complex2D) -> float:
    r"""Correlation of two quantities without their means, with its sign, in [-1, 1]; pixels (k,).

    :math:`\Re \sum u^* v / \sqrt{\sum |u|^2 \sum |v|^2}` with u, v the images less their means: -1
    for inverted contrast, as of a conjugated phase. Source: Pearson, Proc. R. Soc. Lond. 58, 240
    (1895), doi:10.1098/rspl.1895.0041. NaN where one of them has no contrast.

    Parameters
    ----------
    recon, truth : ndarray, shape (k,)
        Real or complex, of the pixels that count.

    Returns
    -------
    float
        In [-1, 1], or NaN.
    """
    if recon.size == 0:
        return math.nan
    means = [recon.mean(), truth.mean()]
    own, wanted = recon - means[0], truth - means[1]
    powers = [float(np.sum(np.abs(each) ** 2)) for each in (own, wanted)]
    if any(map(_is_rounding, powers, means, (recon.size, truth.size))):
        return math.nan
    return float(np.sum(own.conj() * wanted).real / math.sqrt(powers[0] * powers[1]))


def contrast_transfer(recon: Image, truth: Image) -> float:
    r"""How much of the truth's contrast is there: the slope of one on the other; pixels (k,).

    :math:`\sum u v / \sum v^2` with u the reconstruction and v the truth, less their means: 1 where
    contrast is kept, 0 where it is lost, negative where it is inverted. NaN where the truth has no
    contrast. Source: Legendre's least squares, as in Yule, Proc. R. Soc. Lond. 60, 477 (1897),
    doi:10.1098/rspl.1896.0075.

    Parameters
    ----------
    recon, truth : ndarray of float, shape (k,)
        Of the pixels that count.

    Returns
    -------
    float
        Dimensionless, or NaN.
    """
    if truth.size == 0:
        return math.nan
    mean = truth.mean()
    own, wanted = recon - recon.mean(), truth - mean
    power = float(np.sum(wanted**2))
    if _is_rounding(power, mean, truth.size):
        return math.nan
    return float(np.sum(own * wanted)) / power


def invariant_error(recon: Complex2D, truth: Complex2D) -> float:
    r"""Normalised squared error, blind to one global complex factor, in [0, 1].

    :math:`E^2 = 1 - |\sum R^* O|^2 / (\sum |R|^2 \sum |O|^2)`.
    Source: Fienup, Appl. Opt. 36, 8352 (1997), doi:10.1364/AO.36.008352.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (k,) or (H, W)
        R and O.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> invariant_error(1j * np.eye(2), np.eye(2))
    0.0
    """
    return relative_power(truth - global_factor(recon, truth) * recon, truth)


def relative_power(rest: Complex2D, truth: Complex2D) -> float:
    """Power of what a fit leaves over that of the truth, at most 1; NaN without a truth.

    Parameters
    ----------
    rest, truth : ndarray of complex, of one shape
        In one unit.

    Returns
    -------
    float
        In [0, 1], or NaN.
    """
    power = _power(truth)
    return min(1.0, _power(rest) / power) if power else math.nan


def _is_rounding(power: float, mean: Any, count: int) -> bool:
    """Whether what is left of values without their mean is no more than their last digits."""
    return power <= (power + count * float(abs(mean)) ** 2) * ROUNDING**2


def _power(values: Complex2D) -> float:
    return float(np.sum(values.real**2 + values.imag**2, dtype=np.float64))


def _mean_similarity(
    recon: Image, truth: Image, windows: Mask, data_range: float, *, luminance: bool
) -> float:
    """Average over windows, given by their middles; as Wang does, over none that juts out."""
    _, local = structural_similarity(  # type: ignore[no-untyped-call]
        truth.astype(np.float64),
        recon.astype(np.float64),
        data_range=data_range,
        gaussian_weights=True,
        sigma=WANG_SIGMA_PX,
        use_sample_covariance=False,
        K1=0.01 if luminance else NO_LUMINANCE,
        full=True,
    )
    return float(local[windows].mean())


def halved(image: Image) -> Image:
    """Average 2 x 2 pixels; an odd side is first continued by its last row or column.

    Parameters
    ----------
    image : ndarray of float, shape (H, W)
        In any unit.

    Returns
    -------
    ndarray of float, shape ((H + 1) // 2, (W + 1) // 2)
        In the same unit.
    """
    height, width = image.shape
    odd = (height % 2, width % 2)
    even = np.pad(image, ((0, odd[0]), (0, odd[1])), mode="edge") if any(odd) else image
    beside = even[:, 0::2] + even[:, 1::2]
    return np.asarray((beside[0::2] + beside[1::2]) / 4)

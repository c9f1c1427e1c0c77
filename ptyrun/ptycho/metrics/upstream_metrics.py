"""What do upstream's metrics say, by upstream's own definitions?

They are kept so that numbers can be laid beside older ones, oddities included: PSNR against 255
for images of about 1, FRC rings out to the corner, and a multi-scale SSIM that decimates without a
filter. :mod:`ptyrun.ptycho.metrics.measures` has what the literature defines.

Upstream knows no holes. Here they are not measured: averages are over covered pixels, windows count
where they are wholly covered, and in spectra both images have their mean there, which adds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from skimage.metrics import structural_similarity

from ptyrun.config import PhaseAlign
from ptyrun.ptycho.metrics.factors import amplitude_factor
from ptyrun.ptycho.metrics.frc import ring_modulus
from ptyrun.ptycho.metrics.masks import whole_windows
from ptyrun.ptycho.metrics.phases import without_mean, without_plane

PEAK = 255.0
SSIM_WINDOW_PX = 7
NAMES = ("mae", "mse", "psnr", "ssim", "ms_ssim", "frc50", "frc1over7")
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LOWEST_SSIM = 1e-4
# The spectrum of fewer known pixels correlates with anything.
FEWEST_PIXELS = 64

Image = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class UpstreamMetrics:
    """Every metric by upstream's definitions.

    Attributes
    ----------
    values : mapping of str to tuple of float
        Amplitude and phase, by the metric's name.
    amplitude_frc, phase_frc : ndarray of float64, shape (R,)
        Ring correlations, by ring.
    """

    values: Mapping[str, tuple[float, float]]
    amplitude_frc: NDArray[np.float64]
    phase_frc: NDArray[np.float64]


def upstream_metrics(
    recon: NDArray[Any],
    truth: NDArray[Any],
    *,
    phase_align: PhaseAlign = PhaseAlign.PLANE,
    frc_sigma: float = 0.0,
    ms_ssim_sigma: float = 1.0,
    covered: Mask | None = None,
    turn: complex | None = None,
) -> UpstreamMetrics:
    """Measure one pair of images.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (H, W)
        Registered, cropped and trimmed.
    phase_align : PhaseAlign
        What is taken off both phases.
    frc_sigma, ms_ssim_sigma : float
        Gaussian smoothing of the FRC curves, and of the amplitudes before MS-SSIM.
    covered : ndarray of bool, shape (H, W), optional
        Where *recon* is known; everything when None, as upstream has it. Nothing else is
        measured; what too few pixels say is NaN.
    turn : complex, optional
        Factor of modulus 1 that both images have before their phases are taken, which are cut at
        pi wherever that lies; upstream has none.

    Returns
    -------
    UpstreamMetrics
        Every metric, and both curves.
    """
    mask = None if covered is None or bool(covered.all()) else covered
    # Amplitudes first, and only then phases: of a large image, each is as much memory as the pair.
    own, wanted = np.abs(recon), np.abs(truth)
    amplitude = _filled_pair((own * amplitude_factor(own, wanted, mask), wanted), mask)
    del own, wanted
    of_amplitude, amplitude_frc = _measured(amplitude, frc_sigma, mask)
    of_amplitude |= {
        "ssim": ssim(*amplitude, float(np.ptp(amplitude[1])), mask),
        "ms_ssim": ms_ssim(*amplitude, ms_ssim_sigma, mask),
    }
    del amplitude
    own, wanted = (
        _aligned_phase(np.angle(_turned(image, turn)), phase_align, mask)
        for image in (recon, truth)
    )
    phase = _filled_pair((own, wanted), mask)
    del own, wanted
    of_phase, phase_frc = _measured(phase, frc_sigma, mask)
    units = tuple((image + np.pi) / (2 * np.pi) for image in phase)
    del phase
    of_phase |= {
        "ssim": ssim(units[0], units[1], 1.0, mask),
        "ms_ssim": ms_ssim(units[0], units[1], 0.0, mask),
    }
    values = {name: (of_amplitude[name], of_phase[name]) for name in NAMES}
    return UpstreamMetrics(values, amplitude_frc, phase_frc)


def _turned(image: NDArray[Any], turn: complex | None) -> NDArray[Any]:
    # The phase of a zero would be 0 or pi, by the signs that a factor leaves it.
    return image if turn is None else image * turn + 0.0


def _measured(
    pair: tuple[Image, Image], frc_sigma: float, mask: Mask | None
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """What is alike for amplitudes and phases, and the ring correlation."""
    difference = pair[1] - pair[0]
    mse, mae = _mean(difference**2, mask), _mean(np.abs(difference), mask)
    del difference
    curve = frc_curve(pair[0], pair[1], frc_sigma, mask)
    found = {
        "mae": mae,
        "mse": mse,
        "psnr": _psnr(mse),
        "frc50": first_ring_below(curve, 0.5),
        "frc1over7": first_ring_below(curve, 1 / 7),
    }
    return found, curve


def _filled_pair(pair: tuple[Image, Image], mask: Mask | None) -> tuple[Image, Image]:
    return pair if mask is None else (_filled(pair[0], mask), _filled(pair[1], mask))


def _psnr(mse: float) -> float:
    return float(10 * np.log10(PEAK**2 / mse)) if mse > 0 else math.inf


def ssim(recon: Image, truth: Image, data_range: Any, covered: Mask | None = None) -> float:
    """Structural similarity with a 7 px window; NaN for images smaller than that.

    Parameters
    ----------
    recon, truth : ndarray of float, shape (H, W)
    data_range : float
        Largest possible difference of two values, in the images' unit.
    covered : ndarray of bool, shape (H, W), optional
        Average over the windows that lie wholly within these pixels; NaN if none does.

    Returns
    -------
    float
        At most 1, or NaN.

    Notes
    -----
    Source: Wang et al., IEEE Trans. Image Process. 13, 600 (2004), doi:10.1109/TIP.2003.819861.
    """
    if min(truth.shape) < SSIM_WINDOW_PX or data_range <= 0:
        return math.nan
    value, local = structural_similarity(  # type: ignore[no-untyped-call]
        truth, recon, win_size=SSIM_WINDOW_PX, data_range=data_range, full=True
    )
    if covered is None:
        return float(value)
    chosen = local[whole_windows(covered, SSIM_WINDOW_PX)]
    return float(chosen.mean()) if chosen.size else math.nan


def ms_ssim(recon: Image, truth: Image, sigma: float, covered: Mask | None = None) -> float:
    """Product of full SSIM to the power of Wang's weights, over scales decimated by [::2, ::2].

    It stops where a side falls below 7 px, or no window is wholly covered; NaN if that is at once.

    Parameters
    ----------
    recon, truth : ndarray of float, shape (H, W)
    sigma : float
        Width in pixels of the Gaussian that both images go through first; 0 for none.
    covered : ndarray of bool, shape (H, W), optional
        As for :func:`ssim`.

    Returns
    -------
    float
        At most 1, or NaN.

    Notes
    -----
    The weights are those of Wang, Simoncelli, Bovik, Asilomar 37, 1398 (2003),
    doi:10.1109/ACSSC.2003.1292216; the scales are upstream's own.
    """
    if sigma > 0:
        recon, truth = (_smoothed(image, sigma, covered) for image in (recon, truth))
    # In the images' own precision: the constants of SSIM are the last digits of small values.
    data_range = max(np.ptp(recon), np.ptp(truth))
    factors: list[float] = []
    for weight in SCALE_WEIGHTS:
        small = min(truth.shape) < SSIM_WINDOW_PX
        if small or (covered is not None and not whole_windows(covered, SSIM_WINDOW_PX).any()):
            break
        factors.append(max(ssim(recon, truth, data_range, covered), LOWEST_SSIM) ** weight)
        recon, truth = recon[::2, ::2], truth[::2, ::2]
        covered = None if covered is None else covered[::2, ::2]
    return math.prod(factors) if factors else math.nan


def frc_curve(
    recon: Image, truth: Image, sigma: float, covered: Mask | None = None
) -> NDArray[np.float64]:
    """Ring correlation of the centre square, every ring out to the corner, optionally smoothed.

    NaN where hardly a pixel of the square is covered.

    Parameters
    ----------
    recon, truth : ndarray of float, shape (H, W)
        In one unit.
    sigma : float
        Width of the Gaussian that smooths the curve, in rings; 0 for none.
    covered : ndarray of bool, shape (H, W), optional
        Which pixels count (default: all).

    Returns
    -------
    ndarray of float64, shape (R,)
        By ring.
    """
    side = min(truth.shape)
    curve = ring_modulus(_centre(truth, side), _centre(recon, side)).correlation
    if covered is not None and np.count_nonzero(_centre(covered, side)) < FEWEST_PIXELS:
        return np.full_like(curve, np.nan)
    return np.asarray(gaussian_filter1d(curve, sigma)) if sigma > 0 else curve


def first_ring_below(curve: NDArray[np.float64], threshold: float) -> float:
    """Where the curve first falls below the threshold, in rings, linearly interpolated.

    0 if the first ring is below, the length of the curve if none is; NaN if the curve is.

    Parameters
    ----------
    curve : ndarray of float64, shape (R,)
        By ring.
    threshold : float
        The level.

    Returns
    -------
    float
        In rings.
    """
    if np.isnan(curve).any():
        return math.nan
    below = np.flatnonzero(curve < threshold)
    if len(below) == 0:
        return float(len(curve))
    ring = int(below[0])
    if ring == 0:
        return 0.0
    before, after = curve[ring - 1], curve[ring]
    return float(ring - 1 + (before - threshold) / (before - after))


def _aligned_phase(phase: Image, method: PhaseAlign, mask: Mask | None) -> Image:
    take_off = without_plane if method is PhaseAlign.PLANE else without_mean
    return take_off(phase, mask)


def _filled(image: Image, covered: Mask) -> Image:
    """The image with its mean in its holes."""
    return np.where(covered, image, image[covered].mean())


def _smoothed(image: Image, sigma: float, covered: Mask | None) -> Image:
    """Gaussian means; beside holes, of what is covered."""
    if covered is None:
        return np.asarray(gaussian_filter(image, sigma))
    weight = gaussian_filter(covered.astype(np.float64), sigma)
    total = gaussian_filter(np.where(covered, image, 0.0), sigma)
    return _filled(np.divide(total, weight, out=np.zeros_like(total), where=covered), covered)


def _centre(image: NDArray[Any], side: int) -> NDArray[Any]:
    top, left = ((length - side) // 2 for length in image.shape)
    return image[top : top + side, left : left + side]


def _mean(values: Image, covered: Mask | None) -> float:
    return float(np.mean(values) if covered is None else np.mean(values[covered]))

"""How well does an object with its probe explain the measured amplitudes? No truth is needed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ptyrun.ptycho.consistency.counting_noise import Counting, expected_difference
from ptyrun.ptycho.consistency.frame_model import FRAMES_AT_ONCE, Complex2D, frames_inside
from ptyrun.ptycho.consistency.measured_frames import Frames, Measured, Shots, sum_of_each
from ptyrun.ptycho.readers.frame_survey import dark_frames
from ptyrun.ptycho.readers.scan import Scan

SEED = 512
N_FRAMES = 512

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FrameSums:
    """What is summed over the pixels of each measured frame (k,): A is measured, M modelled.

    ``absolute`` is the sum of abs(c M - A) with the one *scale* c of all frames.
    """

    frames: NDArray[np.int64]
    scale: float
    absolute: NDArray[np.float64]
    measured: NDArray[np.float64]
    cross: NDArray[np.float64]
    model_power: NDArray[np.float64]
    measured_power: NDArray[np.float64]

    def r_factor(self, weights: NDArray[np.float64] | None = None) -> float:
        r"""Give :math:`\sum |cM - A| / \sum A`, frames counting by *weights* (k,)."""
        absolute, measured = (_total(each, weights) for each in (self.absolute, self.measured))
        return absolute / measured if measured > 0 else math.nan

    def fourier_error(self, weights: NDArray[np.float64] | None = None) -> float:
        r"""Give :math:`\sum (cM - A)^2 / \sum A^2`, frames counting by *weights* (k,)."""
        cross, model, measured = (
            _total(each, weights) for each in (self.cross, self.model_power, self.measured_power)
        )
        left = measured - 2 * self.scale * cross + self.scale**2 * model
        return max(left, 0.0) / measured if measured > 0 else math.nan


def _total(values: NDArray[np.float64], weights: NDArray[np.float64] | None) -> float:
    return float(values.sum() if weights is None else np.sum(values * weights))


def frames_within(scan: Scan, covered: Mask) -> NDArray[np.int64]:
    """List the frames whose patches lie wholly on *covered* pixels (H, W) of the object's grid."""
    inside = frames_inside(scan, covered.shape)
    side = scan.patch_px
    total = np.zeros((covered.shape[0] + 1, covered.shape[1] + 1), np.int64)
    np.cumsum(covered, axis=1, out=total[1:, 1:])
    np.cumsum(total, axis=0, out=total)
    is_covered = np.empty(len(inside), np.bool_)
    for first in range(0, len(inside), FRAMES_AT_ONCE):
        part = slice(first, first + FRAMES_AT_ONCE)
        y, x = np.rint(scan.positions_px[inside[part]]).astype(np.int64).T - side // 2
        counts = total[y + side, x + side] - total[y, x + side] - total[y + side, x] + total[y, x]
        is_covered[part] = counts == side**2
    return inside[is_covered]


def drawn(frames: NDArray[np.int64], count: int | None) -> NDArray[np.int64]:
    """Draw *count* of the frames, always the same, in their order; all where it is None."""
    if count is None or len(frames) <= count:
        return frames
    return np.sort(np.random.default_rng(SEED).choice(frames, count, replace=False))


def frame_sums(
    scan: Scan,
    image: Complex2D,
    modes: NDArray[np.complexfloating[Any, Any]],
    frames: NDArray[np.int64],
    shared: Measured | None = None,
) -> FrameSums:
    r"""Hold an object with its probe against measured amplitudes, as sums over each frame.

    Parameters
    ----------
    scan : Scan
        Of the far field.
    image : ndarray of complex, shape (H, W)
        Transmission on the scan's own grid, up to one factor.
    modes : ndarray of complex, shape (M, N, N)
        The probe's modes, whose intensities add.
    frames : ndarray of int, shape (k,)
        Frames whose patches lie wholly inside the image.
    shared : Measured, optional
        The same frames and modes, where other objects are held against them as well.

    Notes
    -----
    The model is :math:`M = (\sum_m |F(P_m O)|^2)^{1/2}`: between pixels the probe is moved, by a
    phase ramp on its spectrum, and not the object, which is sampled where it lies. One factor c for
    all frames with signal and all pixels, :math:`\sum MA / \sum M^2`, takes the units off; neither
    position nor background nor a factor of each frame is fitted. The sum of squares is the error
    that iterative programs reduce: Maiden and Rodenburg, Ultramicroscopy 109, 1256 (2009),
    doi:10.1016/j.ultramic.2009.05.012; multiple modes: Thibault and Menzel, Nature 494, 68 (2013),
    doi:10.1038/nature11806. The R-factor is that of crystallography: Hamilton, Acta Cryst. 18, 502
    (1965), doi:10.1107/S0365110X65001081.
    """
    measured = shared or Measured(Frames(scan, frames), modes)
    sums: list[list[NDArray[np.float64]]] = []
    # Differences need the scale, which is known at the end: models are kept, or made again.
    kept = list(_modelled(scan, image, measured)) if measured.is_small else None
    for shots, model in kept or _modelled(scan, image, measured):
        cross_with = sum_of_each(shots.amplitude, model)
        sums.append([cross_with, sum_of_each(model, model), shots.power])
    cross, model_power, measured_power = (np.concatenate(each) for each in zip(*sums, strict=True))
    lit = np.ones(len(frames), np.bool_)
    lit[dark_frames(measured_power)] = False
    cross, model_power, measured_power = cross[lit], model_power[lit], measured_power[lit]
    power = float(model_power.sum())
    scale = float(cross.sum()) / power if power > 0 else 0.0
    rests: list[list[NDArray[np.float64]]] = []
    for shots, model in kept or _modelled(scan, image, measured):
        left = scale * model
        left -= shots.amplitude
        rests.append([sum_of_each(np.abs(left, out=left)), shots.total])
    absolute, total = (np.concatenate(each)[lit] for each in zip(*rests, strict=True))
    return FrameSums(frames[lit], scale, absolute, total, cross, model_power, measured_power)


def noise_alone(
    scan: Scan, image: Complex2D, sums: FrameSums, lit: Measured, counting: Counting
) -> float:
    r"""Give the R-factor that counting noise alone would leave of frames, if a model were right.

    Parameters
    ----------
    scan : Scan
        Of the far field.
    image : ndarray of complex, shape (H, W)
        The object that models the frames.
    sums : FrameSums
        What :func:`frame_sums` gave of it.
    lit : Measured
        The frames of *sums*, and the probe's modes.
    counting : Counting
        What one photon is.

    Returns
    -------
    float
        NaN where nothing was modelled or measured.

    Notes
    -----
    :math:`\sum E|\sqrt n - \sqrt\lambda| / \sum \sqrt n`, as :func:`expected_difference` has it. Of
    common factors, the most likely one gives as many expected counts :math:`\lambda` as there are
    counts.
    """
    measured, model = float(sums.measured.sum()), float(sums.model_power.sum())
    if not (measured > 0 and model > 0):
        return math.nan
    factor = math.sqrt(float(sums.measured_power.sum()) / model / counting.unit)
    # One frame after the other: what is made of one is still in the processor's cache.
    differences = (
        float(expected_difference(frame * factor).sum())
        for _, frames in _modelled(scan, image, lit)
        for frame in frames
    )
    return math.fsum(differences) * math.sqrt(counting.unit) / measured


def _modelled(
    scan: Scan, image: Complex2D, measured: Measured
) -> Iterator[tuple[Shots, NDArray[np.float32]]]:
    """Give measured frames and modelled amplitudes (b, N, N), block by block."""
    bad = None if scan.bad_pixels is None else fft.ifftshift(scan.bad_pixels)
    for block in measured.read():
        model = block.amplitude(image)
        if bad is not None:
            model[:, bad] = 0  # as they are in the frames: nothing was measured there
        yield block.shots, model

"""Which frames does an object with a probe promise, in the far field?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ptyrun.ptycho.readers.frame_survey import dark_frames
from ptyrun.ptycho.readers.scan import Scan

SAMPLED_FRAMES = 48
# Positions looked at together: bounds memory, changes nothing.
FRAMES_AT_ONCE = 1 << 13

Complex2D = NDArray[np.complexfloating[Any, Any]]
Positions = NDArray[np.float64]


def frames_inside(scan: Scan, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """List the frames whose patches lie wholly inside an object of *shape* (H, W)."""
    return np.flatnonzero(are_inside(scan, shape)).astype(np.int64, copy=False)


def are_inside(scan: Scan, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell for each frame whether its patch lies wholly inside an object of *shape* (H, W)."""
    inside = np.empty(scan.n_frames, np.bool_)
    for first in range(0, scan.n_frames, FRAMES_AT_ONCE):
        part = slice(first, first + FRAMES_AT_ONCE)
        corners = np.rint(scan.positions_px[part]) - scan.patch_px // 2
        fits = (corners >= 0) & (corners + scan.patch_px <= np.array(shape))
        inside[part] = fits.all(axis=1)
    return inside


def sampled_inside(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Take up to 48 of the frames that are *inside*, as `spread` does, without a list of all."""
    ranks = evenly(int(np.count_nonzero(inside)))
    found, before = [np.empty(0, np.int64)], 0
    for first in range(0, len(inside), FRAMES_AT_ONCE):
        here = np.flatnonzero(inside[first : first + FRAMES_AT_ONCE])
        wanted = ranks[(ranks >= before) & (ranks < before + len(here))]
        found.append(first + here[wanted - before])
        before += len(here)
    return np.concatenate(found)


def lit(scan: Scan, frames: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read frames (k,), and give those with signal and their amplitudes (k', N, N)."""
    measured = scan.amplitudes(frames).astype(np.float64)
    dark = dark_frames(np.einsum("nij,nij->n", measured, measured))
    if not len(dark):
        return frames, measured
    return np.delete(frames, dark), np.delete(measured, dark, axis=0)


def spread(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take up to 48 of *frames*, evenly from the first to the last."""
    return frames[evenly(len(frames))]


def evenly(n_frames: int) -> NDArray[np.int64]:
    """Take up to 48 numbers below *n_frames*, evenly from 0 to the last."""
    count = min(n_frames, SAMPLED_FRAMES)
    return np.linspace(0, n_frames - 1, count).astype(np.int64)


def modelled_amplitudes(
    image: Complex2D, positions_px: Positions, probe: Complex2D
) -> NDArray[np.floating[Any]]:
    r"""|FFT(probe x object patch)|, shape (k, N, N), DC centred; of several modes, as they add.

    Single precision where object and probe are.

    Parameters
    ----------
    image : ndarray of complex, shape (H, W)
    positions_px : ndarray of float64, shape (k, 2)
        Taken at whole pixels; patches that would stick out are moved inside.
    probe : ndarray of complex, shape (N, N) or (M, N, N)
        Modes add incoherently: :math:`(\sum_m |F(P_m O)|^2)^{1/2}`.

    Notes
    -----
    Source: Thibault and Menzel, Nature 494, 68 (2013), doi:10.1038/nature11806.
    """
    side = probe.shape[-1]
    corners = np.rint(positions_px).astype(np.int64) - side // 2
    corners = np.clip(corners, 0, np.array(image.shape) - side)
    patches = np.stack([image[y : y + side, x : x + side] for y, x in corners.tolist()])
    modes = probe.reshape(-1, side, side)
    amplitudes = _far_field_amplitudes(modes[0] * patches)
    if len(modes) > 1:
        others = (_far_field_amplitudes(mode * patches) ** 2 for mode in modes[1:])
        amplitudes = np.sqrt(sum(others, start=amplitudes**2))
    return np.asarray(fft.fftshift(amplitudes, axes=(1, 2)))


def _far_field_amplitudes(waves: Complex2D) -> NDArray[np.floating[Any]]:
    return np.asarray(np.abs(fft.fft2(waves, overwrite_x=True)))

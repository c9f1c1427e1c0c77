"""Which frames does an object with a probe promise, in the far field?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ptyrun.ptycho.readers.scan import Scan

SAMPLED_FRAMES = 48

Complex2D = NDArray[np.complexfloating[Any, Any]]
Positions = NDArray[np.float64]


def frames_inside(scan: Scan, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """List the frames whose patches lie wholly inside an object of *shape* (H, W)."""
    corners = np.rint(scan.positions_px) - scan.patch_px // 2
    inside = ((corners >= 0) & (corners + scan.patch_px <= np.array(shape))).all(axis=1)
    return np.flatnonzero(inside).astype(np.int64)


def spread(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take up to 48 of *frames*, evenly from the first to the last."""
    count = min(len(frames), SAMPLED_FRAMES)
    return frames[np.linspace(0, len(frames) - 1, count).astype(np.int64)]


def modelled_amplitudes(
    image: Complex2D, positions_px: Positions, probe: Complex2D
) -> NDArray[np.float64]:
    """|FFT(probe x object patch)|, shape (k, N, N), DC centred.

    Parameters
    ----------
    image : ndarray of complex, shape (H, W)
    positions_px : ndarray of float64, shape (k, 2)
        Taken at whole pixels; patches that would stick out are moved inside.
    probe : ndarray of complex, shape (N, N)
    """
    side = probe.shape[0]
    corners = np.rint(positions_px).astype(np.int64) - side // 2
    corners = np.clip(corners, 0, np.array(image.shape) - side)
    patches = np.stack([image[y : y + side, x : x + side] for y, x in corners.tolist()])
    spectra = fft.fftshift(fft.fft2(probe * patches), axes=(1, 2))
    return np.asarray(np.abs(spectra), np.float64)

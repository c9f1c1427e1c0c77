"""Which made-up groups is a predictor tried with?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEED = 20231


def synthetic_groups(
    n_groups: int, patch_px: int, gridsize: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Made-up groups, each different, normalised as real ones are.

    Returns
    -------
    diffraction : ndarray of float32, shape (n_groups, N, N, C)
    local_offsets_px : ndarray of float32, shape (n_groups, 1, 2, C)
    """
    generator = np.random.default_rng(SEED)
    channels = gridsize**2
    axis = np.arange(patch_px) - patch_px // 2
    width = generator.uniform(0.05, 0.15, (n_groups, 1, 1, channels)) * patch_px
    radius = np.hypot(axis[:, None], axis[None, :])[None, :, :, None]
    amplitude = np.exp(-radius / width) * generator.uniform(
        0.5, 1.5, (n_groups, patch_px, patch_px, channels)
    )
    energy = np.sum(amplitude**2, axis=(1, 2), keepdims=True)
    amplitude *= np.sqrt((patch_px / 2) ** 2 / energy)
    offsets = generator.uniform(-3, 3, (n_groups, 1, 2, channels))
    offsets -= offsets.mean(axis=-1, keepdims=True)
    return amplitude.astype(np.float32), offsets.astype(np.float32)

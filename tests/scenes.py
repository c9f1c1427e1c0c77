"""A small object and a probe for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PATCH_PX = 32


def small_object(height: int = 96, width: int = 90) -> NDArray[np.complex64]:
    """An object with structure in amplitude and phase, (H, W)."""
    y, x = np.mgrid[:height, :width]
    star = np.sin(12 * np.arctan2(y - height / 2, x - width / 2)) > 0
    amplitude = 0.6 + 0.3 * star + 0.1 * np.cos(x / 5)
    phase = 0.8 * np.sin(y / 7) * np.cos(x / 9) + 0.4 * star
    return (amplitude * np.exp(1j * phase)).astype(np.complex64)


def small_probe(patch_px: int = PATCH_PX) -> NDArray[np.complex64]:
    """A disc with a curved phase, (N, N)."""
    axis = np.arange(patch_px) - patch_px / 2
    radius = np.hypot(*np.meshgrid(axis, axis))
    envelope = 1 / (1 + np.exp(radius - patch_px / 4))
    return (envelope * np.exp(0.02j * radius**2)).astype(np.complex64)

"""What in a phase is arbitrary? A constant, and a plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]


def without_mean(phase: Image) -> Image:
    """Subtract the mean."""
    return np.asarray(phase - phase.mean())


def without_plane(phase: Image) -> Image:
    """Subtract the least-squares plane of an image (H, W)."""
    y, x = np.mgrid[: phase.shape[0], : phase.shape[1]]
    basis = np.stack([x.ravel(), y.ravel(), np.ones(phase.size)], axis=1).astype(np.float64)
    coefficients = np.linalg.lstsq(basis, phase.ravel(), rcond=None)[0]
    return np.asarray(phase - (basis @ coefficients).reshape(phase.shape))

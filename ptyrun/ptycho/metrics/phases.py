"""What in a phase is arbitrary? A constant, and a plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


def without_mean(phase: Image, covered: Mask | None = None) -> Image:
    """Subtract the mean, that of the *covered* pixels where they are given."""
    return np.asarray(phase - (phase if covered is None else phase[covered]).mean())


def without_plane(phase: Image, covered: Mask | None = None) -> Image:
    """Subtract the least-squares plane of an image (H, W), or that of its *covered* pixels."""
    y, x = np.mgrid[: phase.shape[0], : phase.shape[1]]
    basis = np.stack([x.ravel(), y.ravel(), np.ones(phase.size)], axis=1).astype(np.float64)
    known = slice(None) if covered is None else covered.ravel()
    coefficients = np.linalg.lstsq(basis[known], phase.ravel()[known], rcond=None)[0]
    return np.asarray(phase - (basis @ coefficients).reshape(phase.shape))

"""What in a phase is arbitrary? A constant, and a plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


def without_mean(phase: Image, covered: Mask | None = None) -> Image:
    """Subtract the mean, that of the *covered* pixels where they are given.

    Parameters
    ----------
    phase : ndarray of float, shape (H, W)
        In radians.
    covered : ndarray of bool, shape (H, W), optional
        Which pixels the mean is of (default: all).

    Returns
    -------
    ndarray of float, shape (H, W)
        In radians.
    """
    return np.asarray(phase - (phase if covered is None else phase[covered]).mean())


def without_plane(phase: Image, covered: Mask | None = None) -> Image:
    """Subtract the least-squares plane of an image.

    Parameters
    ----------
    phase : ndarray of float, shape (H, W)
        In radians.
    covered : ndarray of bool, shape (H, W), optional
        Which pixels the plane is of (default: all).

    Returns
    -------
    ndarray of float, shape (H, W)
        In radians.
    """
    known = np.ones(phase.shape, bool) if covered is None else covered
    rows, columns = known.sum(axis=1), known.sum(axis=0)
    n = int(rows.sum())
    if not n:
        return np.asarray(phase)
    # Counted from the middle of what is known, slopes and mean do not mix much.
    y = np.arange(phase.shape[0]) - rows @ np.arange(phase.shape[0]) / n
    x = np.arange(phase.shape[1]) - columns @ np.arange(phase.shape[1]) / n
    mean = phase[known].mean(dtype=np.float64)
    values = np.where(known, phase - mean, 0.0)
    yx = y @ np.einsum("ij,j->i", known.astype(np.float64), x)
    normal = np.array([[rows @ y**2, yx], [yx, columns @ x**2]])
    right = np.array([values.sum(axis=1) @ y, values.sum(axis=0) @ x])
    slope_y, slope_x = np.linalg.lstsq(normal, right, rcond=None)[0]
    return np.asarray(phase - (slope_y * y[:, None] + (slope_x * x[None, :] + mean)))

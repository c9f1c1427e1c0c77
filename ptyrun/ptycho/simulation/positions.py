"""Where does a simulated scan put its probe? Uniformly at random, as upstream draws it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import GeometryError


def simulated_positions(
    object_shape: tuple[int, int], probe_shape: tuple[int, int], n_positions: int, seed: int
) -> NDArray[np.float64]:
    """Draw positions whose patches stay on the object.

    Parameters
    ----------
    object_shape : (int, int)
        The object's (H, W) in pixels.
    probe_shape : (int, int)
        The probe's sides in pixels; half the longer one is kept free along every edge.
    n_positions : int
    seed : int
        Between 0 and 2**32 - 1.

    Returns
    -------
    ndarray of float64, shape (n_positions, 2)
        As (y, x). The same numbers as ``simulate_and_save.py`` of upstream draws for that seed:
        NumPy's legacy generator, all x before all y.

    Raises
    ------
    GeometryError
        If the object leaves no room, nothing is to be drawn, or the seed is outside its range.
    """
    height, width = object_shape
    margin = max(probe_shape) // 2
    if min(object_shape) <= 2 * margin:
        raise GeometryError(
            f"an object of {height} x {width} pixels leaves no room for positions",
            why=f"{margin} pixels, half the probe, stay free along each edge",
            do="give a larger object or a smaller probe",
        )
    if n_positions < 1 or not 0 <= seed < 1 << 32:
        raise GeometryError(
            f"{n_positions} positions cannot be drawn with seed {seed}",
            why=f"1 position or more are needed, and a seed from 0 to {(1 << 32) - 1}",
            do="correct the number or the seed",
        )
    legacy = np.random.RandomState(seed)  # its stream is what upstream's positions come from
    x = legacy.uniform(margin, width - margin, n_positions)
    y = legacy.uniform(margin, height - margin, n_positions)
    return np.column_stack([y, x])

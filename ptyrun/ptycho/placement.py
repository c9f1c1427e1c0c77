"""Where on the object's grid does a finished reconstruction lie?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Placed:
    """A reconstruction on the object's own grid.

    Attributes
    ----------
    image : ndarray of complex64, shape (H, W)
        Zero outside the reconstruction.
    coverage : ndarray of float64, shape (H, W)
        1 where the reconstruction has a pixel, else 0.
    note : str
        What was assumed.
    """

    image: NDArray[np.complex64]
    coverage: NDArray[np.float64]
    note: str


def place_reconstruction(
    image: NDArray[np.complex64], positions_px: NDArray[np.float64], shape: tuple[int, int]
) -> Placed:
    """Lay a reconstruction on the object's grid.

    One of the grid's own shape is taken as lying on it. Any other one is centred on the middle
    of the positions' bounding box, as pty-chi lays its object; registration finds the rest.

    Parameters
    ----------
    image : ndarray of complex, shape (h, w)
    positions_px : ndarray of float64, shape (n, 2)
        (y, x) of all positions of the scan.
    shape : (int, int)
        Of the object's grid.
    """
    if image.shape == shape:
        note = "the reconstruction has the object's shape and is taken as lying on its grid"
        return Placed(image.astype(np.complex64), np.ones(shape), note)
    middle = (positions_px.min(axis=0) + positions_px.max(axis=0)) / 2
    corner = np.rint(middle - np.array(image.shape) / 2).astype(int)
    canvas = np.zeros(shape, np.complex64)
    coverage = np.zeros(shape)
    target, source = [], []
    for start, length, limit in zip(corner.tolist(), image.shape, shape, strict=True):
        low, high = max(0, start), min(limit, start + length)
        target.append(slice(low, max(low, high)))
        source.append(slice(low - start, max(low, high) - start))
    canvas[tuple(target)] = image[tuple(source)]
    coverage[tuple(target)] = 1.0
    note = (
        f"the reconstruction of {image.shape[0]} x {image.shape[1]} px is centred on the middle "
        f"of the positions, ({middle[0]:.1f}, {middle[1]:.1f})"
    )
    return Placed(canvas, coverage, note)

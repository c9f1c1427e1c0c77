"""Which square of an image with holes has none?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of the side of the image. Holes in what is left are less harm than the loss of so much.
LEAST_SIDE = 0.7

Mask = NDArray[np.bool_]


def whole_square(covered: Mask) -> tuple[slice, slice] | None:
    """Find the largest wholly covered square, the most central one; None where it is small.

    Parameters
    ----------
    covered : ndarray of bool, shape (N, N)
        Where an image is known.

    Returns
    -------
    tuple of slice, optional
        Rows and columns; None if its side is less than 0.7 of the image's.
    """
    side = covered.shape[0]
    counts = np.zeros((side + 1, side + 1), np.int64)
    counts[1:, 1:] = covered.cumsum(axis=0).cumsum(axis=1)

    def places(length: int) -> NDArray[np.intp]:
        """Upper left corners of the wholly covered squares of that side."""
        across = counts[:, length:] - counts[:, :-length]
        return np.argwhere(across[length:] - across[:-length] == length**2)

    least = max(1, int(np.ceil(LEAST_SIDE * side)))
    if side < 1 or not len(places(least)):
        return None
    too_large = side + 1
    while too_large - least > 1:
        length = (least + too_large) // 2
        least, too_large = (length, too_large) if len(places(length)) else (least, length)
    found = places(least)
    away = np.abs(found - (side - least) / 2).max(axis=1)
    top, left = found[int(np.argmin(away))].tolist()
    return slice(top, top + least), slice(left, left + least)

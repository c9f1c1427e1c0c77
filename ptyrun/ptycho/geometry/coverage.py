"""Where on the object's grid do positions promise a patch?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def promised(
    shape: tuple[int, int], crop_px: int, positions_px: Iterable[NDArray[np.float64]]
) -> NDArray[np.bool_]:
    """Tell which pixels patches at *positions_px* cover; what the stitcher covers, without patches.

    Parameters
    ----------
    shape : (int, int)
        The object's (H, W) in pixels.
    crop_px : int
        Side of what each patch lays down.
    positions_px : iterable of ndarray of float64, shape (k, 2)
        Centres as (y, x), block by block.

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
    # Rectangles as steps at their corners, summed up once for all.
    steps = np.zeros((shape[0] + 1, shape[1] + 1), np.int64)
    for centres_px in positions_px:
        whole = np.floor(centres_px)
        between = centres_px > whole  # interpolated, and one pixel wider
        first = np.clip(whole - crop_px // 2, 0, shape).astype(np.int64)
        last = np.clip(whole - crop_px // 2 + crop_px + between, 0, shape).astype(np.int64)
        for rows, columns, step in (
            (first, first, 1),
            (last, last, 1),
            (first, last, -1),
            (last, first, -1),
        ):
            np.add.at(steps, (rows[:, 0], columns[:, 1]), step)
    return np.asarray(steps.cumsum(0).cumsum(1)[:-1, :-1] > 0)

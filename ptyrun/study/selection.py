"""Which arrays of a scan file have one row per frame, and what is left when some are kept?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.study.history import MEMBER, SPLIT, Transformation

# One for the whole scan, however many frames there are.
OF_THE_SCAN = frozenset({"objectGuess", "probeGuess", "groundTruthObject", MEMBER})


def has_row_per_frame(name: str, shape: tuple[int, ...], n_frames: int) -> bool:
    """Tell whether the first axis of the array called *name* counts frames.

    Upstream goes by the length alone, and cuts an object with as many rows as there are frames.
    """
    return name not in OF_THE_SCAN and shape[:1] == (n_frames,)


def select_frames(
    arrays: Mapping[str, NDArray[Any]], kept: NDArray[np.integer[Any]], n_frames: int
) -> dict[str, NDArray[Any]]:
    """Keep the frames *kept* of a scan's arrays, in that order; what is not per frame stays.

    A single value (a dose, a seed) stays one value; upstream repeats it for every frame.
    """
    return {
        name: array[kept] if has_row_per_frame(name, array.shape, n_frames) else array
        for name, array in arrays.items()
    }


def split_step(
    *,
    fraction: float,
    axis: str,
    parent_file: str,
    point: float,
    n_train: int,
    n_test: int,
    timestamp: str,
) -> Transformation:
    """The record of a split for both files' history."""
    return Transformation(
        "split_dataset_tool.py",
        timestamp,
        SPLIT,
        {
            "split_fraction": fraction,
            "split_axis": axis,
            "parent_file": parent_file,
            "split_point": point,
            "train_count": n_train,
            "test_count": n_test,
        },
    )

"""Which frames train, and which test? Split at a point of one coordinate's range."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import GeometryError

Coordinates = NDArray[np.floating[Any]]


class Split(NamedTuple):
    """Indices of the frames of each part, ascending."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def split_positions(coordinates: Coordinates, fraction: float = 0.5) -> Split:
    """Split frames where one of their coordinates reaches a point of its range.

    Parameters
    ----------
    coordinates : ndarray of float, shape (n,)
        The x or y of each frame, in pixels.
    fraction : float
        How far between the smallest and the largest the point lies, between 0 and 1.

    Returns
    -------
    Split
        Frames below the point train; those on it and above test. Unpacks as ``train, test``.

    Raises
    ------
    GeometryError
        If *fraction* is outside its range, a coordinate is not finite, or a part would be empty.

    Examples
    --------
    >>> train, test = split_positions(np.array([0.0, 3.0, 1.0, 4.0, 2.0]))
    >>> train.tolist(), test.tolist()
    ([0, 2], [1, 3, 4])
    """
    below = coordinates < split_point(coordinates, fraction)
    split = Split(np.flatnonzero(below), np.flatnonzero(~below))
    if not len(split.train) or not len(split.test):
        raise GeometryError(
            f"{len(coordinates)} positions cannot be split at {fraction:g} of their range",
            why=f"{len(split.train)} would train and {len(split.test)} test: the coordinates reach "
            f"from {coordinates.min():g} to {coordinates.max():g}",
            do="split along the other axis, or at another fraction",
        )
    return split


def split_point(coordinates: Coordinates, fraction: float = 0.5) -> float:
    """Find where a range is split, computed in the dtype of the coordinates; see `split_positions`.

    Parameters
    ----------
    coordinates : ndarray of float, shape (n,)
        The x or the y of every frame.
    fraction : float
        Of the range, between 0 and 1.

    Returns
    -------
    float
        In the unit of the coordinates.

    Raises
    ------
    GeometryError
        If coordinates are not finite, or the fraction is outside its range.
    """
    coordinates = np.asarray(coordinates)
    if not 0 < fraction < 1:
        raise GeometryError(
            f"invalid fraction: {fraction}", why="it must be between 0 and 1", do="correct it"
        )
    if coordinates.ndim != 1 or coordinates.dtype.kind not in "fiu" or not len(coordinates):
        found = f"they are {coordinates.dtype} of shape {coordinates.shape}"
    elif not np.isfinite(coordinates).all():
        found = f"{int((~np.isfinite(coordinates)).sum())} of them are not finite"
    else:
        least, most = coordinates.min(), coordinates.max()
        return float(least + (most - least) * fraction)
    raise GeometryError(
        "these coordinates cannot be split",
        why=f"{found}; one finite number per frame is needed",
        do="give the x or the y of every frame",
    )

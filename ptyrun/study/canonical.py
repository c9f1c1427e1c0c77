"""How do the arrays of a scan get the names, kinds and axes that the study's later stages read?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.study.history import Transformation

Arrays = dict[str, NDArray[Any]]

FRAMES = "diffraction"
OLD_FRAMES = "diff3d"
TOOL = "transpose_rename_convert"


def canonical(
    arrays: Mapping[str, NDArray[Any]], *, flip_x: bool = False, flip_y: bool = False
) -> tuple[Arrays, dict[str, bool]]:
    """Give the arrays of a scan under their present names.

    Parameters
    ----------
    arrays : mapping of ndarray
        Members of an NPZ file, without ``_metadata``.
    flip_x, flip_y : bool
        Negate the x or the y coordinates.

    Returns
    -------
    (dict of ndarray, dict of bool)
        The arrays in their order, and what was done, for `transformation`. ``diff3d`` becomes
        ``diffraction``; counts (whole numbers) become amplitudes, float32 square roots, and frames
        along the last axis come first; other uint16 become float32; a last axis of 1 of ``Y`` is
        dropped; double precision stays.

    Raises
    ------
    InputError
        If frames stand under both names.

    Notes
    -----
    Upstream's tool of this name takes no root of counts and moves no axis, though the stages after
    it read amplitudes with one frame per row.
    """
    if FRAMES in arrays and OLD_FRAMES in arrays:
        raise InputError(
            f"there are frames under two names, {FRAMES} and {OLD_FRAMES}",
            why="only one of them can be the measurement",
            do=f"remove {OLD_FRAMES} from the file",
        )
    found: Arrays = {}
    done = {"flipx": flip_x, "flipy": flip_y}
    n_frames = len(arrays["xcoords"]) if "xcoords" in arrays else None
    for name, array in arrays.items():
        if name in (FRAMES, OLD_FRAMES):
            frames, changes = canonical_frames(array, n_frames)
            found[FRAMES] = frames
            done |= changes
        else:
            found[name] = _canonical_array(name, array, flip_x, flip_y)
    return found, done


def canonical_frames(
    frames: NDArray[Any], n_frames: int | None
) -> tuple[NDArray[Any], dict[str, bool]]:
    """Give frames as amplitudes (n, N, N), and which changes that took."""
    changes = {}
    if frames.ndim == 3 and frames.shape[-1] == n_frames != frames.shape[0]:
        frames = np.ascontiguousarray(np.moveaxis(frames, -1, 0))
        changes["transposed"] = True
    if frames.dtype.kind in "iu":
        frames = np.sqrt(np.maximum(frames, 0)).astype(np.float32)
        changes["amplitude_of_counts"] = True
    return frames, changes


def transformation(done: Mapping[str, bool], timestamp: str) -> Transformation:
    """The record of `canonical` for a file's history."""
    return Transformation(TOOL, timestamp, "canonicalize", dict(done))


def _canonical_array(name: str, array: NDArray[Any], flip_x: bool, flip_y: bool) -> NDArray[Any]:
    if array.dtype == np.uint16:
        array = array.astype(np.float32)
    if name == "Y" and array.ndim == 4 and array.shape[-1] == 1:
        return array[..., 0]
    flips = {"xcoords": flip_x, "xcoords_start": flip_x, "ycoords": flip_y, "ycoords_start": flip_y}
    return -array if flips.get(name) else array

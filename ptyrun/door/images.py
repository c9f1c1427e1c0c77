"""Is what a call is given an image that can be measured?"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ptyrun.errors import GeometryError, InputError
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.readers.complex_images import why_out_of_scale


def image(name: str, given: ArrayLike, kinds: str = "cfiub", *, masked: float = np.nan) -> Any:
    """Read an array (H, W) of numbers; what is masked in it has the value *masked*.

    Raises
    ------
    GeometryError
        If it is no array of two dimensions, or its numbers are of another kind.
    InputError
        If its numbers are too large or too small to compute with.
    """
    try:
        array: NDArray[Any] = np.asanyarray(given)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, arrays on a device
        raise _no_image(name, str(error)) from error
    if array.dtype.kind not in kinds:
        wanted = "numbers" if "c" in kinds else "real numbers"
        raise _no_image(name, f"it holds {array.dtype}, not {wanted}")
    if array.ndim != 2 or not array.size:
        raise _no_image(name, f"its shape is {array.shape}")
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.result_type(array.dtype, np.float32)), masked)
    array = np.asarray(array)
    if why := why_out_of_scale(array):
        raise InputError(
            f"{name} is out of range",
            why=why,
            do="scale it: figures do not depend on its unit",
        )
    return array


def require_one_shape(**arrays: NDArray[Any]) -> None:
    """Refuse arrays that do not lie on one pixel grid; raises GeometryError."""
    if len({array.shape for array in arrays.values()}) > 1:
        raise GeometryError(
            "these arrays are not images of one shape",
            why=", ".join(f"{name} is {array.shape}" for name, array in arrays.items()),
            do="give images (H, W) on one pixel grid",
        )


def region_of(given: Sequence[int] | None, shape: tuple[int, int]) -> Region | None:
    """Read (top, left, height, width); raises GeometryError if it is no part of an image."""
    if given is None:
        return None
    try:
        top, left, height, width = map(index, given)
    except (TypeError, ValueError):
        pass
    else:
        rows, columns = shape
        inside = top >= 0 and left >= 0 and top + height <= rows and left + width <= columns
        if inside and height > 0 and width > 0:
            return Region(top, left, height, width)
    raise GeometryError(
        f"{given!r:.80} is not a region of the image",
        why=f"it is of {shape[0]} x {shape[1]} px, and a region is four integers within it",
        do="give (top, left, height, width) in pixels",
    )


def _no_image(name: str, why: str) -> GeometryError:
    return GeometryError(f"{name} is not an image", why=why, do="give arrays (H, W) of numbers")

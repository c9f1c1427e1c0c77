"""Did a detector count as far as it can, so that what came after is lost?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

# Largest numbers of counters; those of 8 bits only where the type holds no more.
_BITS = (12, 14, 15, 16, 18, 20)
# One pixel may hold such a number by chance where its type could hold more.
_FEWEST = 3


def saturated(frames: NDArray[Any], bad: Mask | None = None) -> str | None:
    """Say how many pixels of frames (k, N, N) hold the largest number of a counter, if any.

    Parameters
    ----------
    frames : ndarray, shape (k, N, N)
        As stored.
    bad : ndarray of bool, shape (N, N), optional
        Pixels that do not count.

    Examples
    --------
    >>> saturated(np.array([[[9, 65535], [3, 2]]], np.uint16))
    '1 pixel in 1 of 1 frames looked at holds 65535, the largest number of 16 bits: the detector \
was saturated there, and what it did not count is missing'
    """
    values = frames if bad is None else frames[:, ~bad]
    if not values.size or values.dtype.kind not in "iuf":
        return None
    highest = float(values.max())
    bits = _bits_of(values.dtype, highest)
    if bits is None:
        return None
    full = frames == highest
    if bad is not None:
        full[:, bad] = False
    is_end_of_type = values.dtype.kind != "f" and highest == np.iinfo(values.dtype).max
    if not is_end_of_type and full.sum() < _FEWEST:
        return None
    n_pixels = int(full.any(axis=0).sum())
    pixels, hold = ("pixel", "holds") if n_pixels == 1 else ("pixels", "hold")
    return (
        f"{n_pixels} {pixels} in {int(full.any(axis=(1, 2)).sum())} of {len(frames)} frames looked "
        f"at {hold} {highest:.10g}, the largest number of {bits} bits: the detector was saturated "
        "there, and what it did not count is missing"
    )


def is_saturated_spot(frames: NDArray[Any], bad: Mask, held: NDArray[Any]) -> bool:
    """Whether pixels with a counter's largest number in every frame are a bright spot, no gap.

    Gaps are lines or far above all else; about a spot there is nearly as much.
    """
    values = held[bad]
    if not np.isfinite(values).all() or _bits_of(held.dtype, float(values.max())) is None:
        return False
    if bad.all(axis=0).any() or bad.all(axis=1).any():
        return False
    return float(frames[:, ~bad].max(initial=0)) >= float(values.max()) / 2


def _bits_of(dtype: np.dtype[Any], highest: float) -> int | None:
    if dtype.kind != "f" and dtype.itemsize <= 2 and highest == np.iinfo(dtype).max:
        return 8 * dtype.itemsize - (dtype.kind == "i")
    return next((bits for bits in _BITS if highest == 2**bits - 1), None)

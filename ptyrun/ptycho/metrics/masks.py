"""Which pixels of an image with holes have all of what is around them known?

By shifted views alone, which is many times as fast as morphology with any structure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics.registration import Shift

Mask = NDArray[np.bool_]


def whole_windows(covered: Mask, side_px: int) -> Mask:
    """Tell around which pixels a window of odd side is wholly covered, and inside the image.

    Parameters
    ----------
    covered : ndarray of bool, shape (H, W)
        Where an image is known.
    side_px : int
        Odd.

    Returns
    -------
    ndarray of bool, shape (H, W)
        Middles of such windows.
    """
    half = side_px // 2
    windows = np.zeros(covered.shape, bool)
    inside = tuple(slice(half, max(half, side - half)) for side in covered.shape)
    windows[inside] = _runs(_runs(covered, side_px).T, side_px).T
    return windows


def _runs(known: Mask, length: int) -> Mask:
    """Where so many true rows begin, by runs that are twice as long each time."""
    found = 1
    while found < length:
        more = min(found, length - found)
        known = known[:-more] & known[more:]
        found += more
    return known


def halved_mask(covered: Mask) -> Mask:
    """Tell where averages of 2 x 2 pixels are known, as where :func:`measures.halved` has them.

    Parameters
    ----------
    covered : ndarray of bool, shape (H, W)
        Where an image is known.

    Returns
    -------
    ndarray of bool, shape ((H + 1) // 2, (W + 1) // 2)
        Where all pixels of an average are known.
    """
    known = covered[0::2].copy()
    known[: covered.shape[0] // 2] &= covered[1::2]
    both = known[:, 0::2].copy()
    both[:, : covered.shape[1] // 2] &= known[:, 1::2]
    return both


def moved_mask(mask: Mask, shift: Shift) -> Mask:
    """Tell where a moved image is known: where all neighbours were before the move.

    Parameters
    ----------
    mask : ndarray of bool, shape (H, W)
        Where it was known.
    shift : Shift
        The move, in pixels.

    Returns
    -------
    ndarray of bool, shape (H, W)
        Where it is known now.
    """
    if mask.all():
        return mask
    whole = (round(shift.dy_px), round(shift.dx_px))
    known = np.roll(mask, whole, axis=(0, 1)) if any(whole) else mask
    if shift == shift.whole:
        return known
    shrunk = known.copy()
    shrunk[1:] &= known[:-1]
    shrunk[:-1] &= known[1:]
    shrunk[:, 1:] &= known[:, :-1]
    shrunk[:, :-1] &= known[:, 1:]
    return shrunk

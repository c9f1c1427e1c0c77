"""Where are shifts looked for, and how far may they lead?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.geometry.placement import SMALLEST_PX, Region
from ptyrun.ptycho.metrics.aligned import BORDER_PX
from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.ptycho.metrics.shift_search import LARGEST_SHIFT, SMALL_SHIFT_PX

LARGEST_LOOK_PX = 1024
ROUGH_PX = 256

Mask = NDArray[np.bool_]


def search_window(region: Region, known: Mask) -> Region:
    """Take all of a region, or the middle of a large one where it is covered.

    Parameters
    ----------
    region : Region
        What is compared.
    known : ndarray of bool, shape (H, W)
        What of the image is covered.

    Returns
    -------
    Region
        A part of *region*.
    """
    height, width = (min(side, LARGEST_LOOK_PX) for side in (region.height, region.width))
    middle = region.centre(height, width)
    return middle if known[middle.slices].mean() > 0.5 else region


def middle_of(look: Region, known: Mask) -> Region:
    """Take the middle of a window, if enough of it is covered to tell a shift.

    Parameters
    ----------
    look : Region
        From :func:`search_window`.
    known : ndarray of bool, shape (H, W)
        What of the image is covered.

    Returns
    -------
    Region
        A part of *look*.
    """
    middle = look.centre(min(look.height, ROUGH_PX), min(look.width, ROUGH_PX))
    return middle if known[middle.slices].mean() >= 0.5 else look


def leaves_enough(shift: Shift, region: Region, known: Mask) -> bool:
    """Tell whether a shift is a part of what is covered, and leaves something to compare.

    Parameters
    ----------
    shift : Shift
        In pixels.
    region : Region
        What is compared.
    known : ndarray of bool, shape (H, W)
        What of the image is covered.

    Returns
    -------
    bool
        False of a shift that is too far.
    """
    covered = known[region.slices]
    extents = (int(covered.any(axis=1).sum()), int(covered.any(axis=0).sum()))
    sides = (region.height, region.width)
    moves = (abs(shift.dy_px), abs(shift.dx_px))
    return all(
        move <= max(LARGEST_SHIFT * extent, SMALL_SHIFT_PX)
        and side - 2 * (BORDER_PX + move) > SMALLEST_PX
        for move, extent, side in zip(moves, extents, sides, strict=True)
    )

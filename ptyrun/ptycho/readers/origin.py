"""Where on the object are positions counted from?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.scan import Scan


def counted_from_middle(scan: Scan) -> Scan:
    """Give a scan, whose positions are counted from its object's middle, counted from its corner.

    Without an object, the middle is that of the smallest one that holds every patch.

    Raises
    ------
    InputError
        If that moves frames out of the object: its positions are counted from the corner already.
    """
    positions_px = scan.positions_px
    if scan.object_guess is None:
        shape = 2 * np.ceil(np.abs(positions_px).max(axis=0)) + scan.patch_px
    else:
        shape = np.array(scan.object_guess.shape, np.float64)
    moved = positions_px + shape / 2
    if _n_inside(moved, shape, scan.patch_px) <= _n_inside(positions_px, shape, scan.patch_px):
        raise InputError(
            f"the positions of {scan.path} are not counted from the middle",
            why=f"as they are, {_n_inside(positions_px, shape, scan.patch_px)} of {scan.n_frames} "
            f"frames lie within the object, and {_n_inside(moved, shape, scan.patch_px)} moved by "
            f"half of it; this file is read as one that counts from the corner ({scan.reader})",
            do="leave --position-origin out",
        )
    note = f"positions are counted from the middle of an object of {shape[0]:g} x {shape[1]:g} px"
    return scan.changed(positions_px=moved, notes=(*scan.notes, note))


def _n_inside(positions_px: NDArray[np.float64], shape: NDArray[np.float64], patch_px: int) -> int:
    corners = np.rint(positions_px) - patch_px // 2
    return int(((corners >= 0) & (corners + patch_px <= shape)).all(axis=1).sum())

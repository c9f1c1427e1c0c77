"""Can the distances between a scan's positions be those of object pixels?"""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from ptyrun.ptycho.readers.scan import Scan

# A scan steps further than this, and spans more than this share of a frame.
_LEAST_STEP_PX = 1.0
_LEAST_SPAN = 0.25
_FEWEST = 9


def median_step_px(scan: Scan) -> float | None:
    """Median distance from a position to the next different one; None where all are the same."""
    different = np.unique(scan.positions_px, axis=0)
    if len(different) < 2:
        return None
    return float(np.median(KDTree(different).query(different, k=2)[0][:, 1]))


def spacing_doubt(scan: Scan) -> str | None:
    """Say why positions are hardly in object pixels; None where they may be.

    Frames of a ptychographic scan overlap, and it is larger than a part of one frame: positions
    in metres, micrometres or steps of a motor are caught by that where nothing else tells.
    """
    if scan.n_frames < _FEWEST:
        return None
    step_px = median_step_px(scan)
    if step_px is None:
        return f"all {scan.n_frames} positions are the same"
    if step_px >= scan.patch_px and not scan.near_field:
        return (
            f"frames do not overlap: the median step is {step_px:.4g} px, and a frame has "
            f"{scan.patch_px} px; are positions in object pixels?"
        )
    spans = np.ptp(scan.positions_px, axis=0)
    if step_px < _LEAST_STEP_PX and spans.max() < _LEAST_SPAN * scan.patch_px:
        return (
            f"all {scan.n_frames} positions lie within {spans[0]:.3g} x {spans[1]:.3g} px, in "
            f"steps of {step_px:.3g} px, and a frame has {scan.patch_px} px; are positions in "
            "object pixels?"
        )
    return None

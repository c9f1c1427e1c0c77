"""Can the distances between a scan's positions be those of object pixels?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ptyrun.ptycho.readers.scan import Scan

# A scan steps further than this, and spans more than this share of a frame.
_LEAST_STEP_PX = 1.0
_LEAST_SPAN = 0.25
_FEWEST = 9
# Positions whose next ones are looked for together: bounds memory, changes nothing.
STRIP_POSITIONS = 1 << 12
KEPT_STRIPS = 4
POSITIONS_AT_ONCE = 1 << 16


def median_step_px(scan: Scan) -> float | None:
    """Median distance from a position to the next different one; None where all are the same."""
    steps_px, n_different = np.empty(scan.n_frames), 0
    for found in _steps_px(scan.positions_px):
        steps_px[n_different : n_different + len(found)] = found
        n_different += len(found)
    return float(np.median(steps_px[:n_different], overwrite_input=True)) if n_different else None


def _steps_px(positions_px: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield the distance from each different position to the next one, strip by strip.

    A strip is a range of y. It is searched together with strips around it: with so many that none
    farther away can hold a nearer position. Of many positions a tree of all would be much memory.
    """
    y_px = positions_px[:, 0]
    n_strips = max(1, round(len(y_px) / STRIP_POSITIONS))
    few_px = y_px[:: 1 + len(y_px) // (8 * STRIP_POSITIONS)]  # they tell where to cut
    inner = np.quantile(few_px, np.linspace(0, 1, n_strips + 1)[1:-1])
    edges = [-np.inf, *np.unique(inner).tolist(), np.inf]

    @lru_cache(maxsize=KEPT_STRIPS)
    def different(strip: int) -> NDArray[np.float64]:
        inside = []
        for first in range(0, len(y_px), POSITIONS_AT_ONCE):
            block = positions_px[first : first + POSITIONS_AT_ONCE]
            inside.append(block[(block[:, 0] >= edges[strip]) & (block[:, 0] < edges[strip + 1])])
        return np.unique(np.concatenate(inside), axis=0)

    n_strips = len(edges) - 1
    for strip in range(n_strips):
        own, around = different(strip), 1
        while len(own):
            first, last = max(0, strip - around), min(n_strips, strip + 1 + around)
            near = np.concatenate([different(each) for each in range(first, last)])
            steps_px = KDTree(near).query(own, k=2)[0][:, 1]  # infinite where there is no other
            reach_px = np.minimum(own[:, 0] - edges[first], edges[last] - own[:, 0])
            if (steps_px <= reach_px).all():  # of all strips together it is infinite
                if np.isfinite(steps_px).all():
                    yield steps_px
                break
            around *= 2


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

"""What is shown of arms that are not complete yet?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.pictures import REFERENCE, images_of, without_ramp
from ptyrun.comparison.shown_field import Field, step_of
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.phase_pair import passes_a_turn, turn_to_middle, where_defined
from ptyrun.report.views import Scene, View

Complex2D = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True)
class PartialArm:
    """An arm as far as it is: its object (H, W) and where it is covered.

    ``decides`` says whether it counts for what is shown: a finished reconstruction may fill a grid
    of which the scan saw a part.
    """

    name: str
    label: str
    image: Complex2D
    covered: NDArray[np.bool_]
    decides: bool = True


def partial_scene(
    arms: Sequence[PartialArm],
    truth: Complex2D | None,
    reference: str,
    region: Region | None = None,
) -> Scene | None:
    """Give what the arms amount to so far, cut to what is covered, and the reference beside them.

    Parameters
    ----------
    arms : sequence of PartialArm
        Those of which something is there.
    truth : ndarray of complex, shape (H, W), optional
        What they are held against.
    reference : str
        What that is called.
    region : Region, optional
        What to show; what is covered if None.

    Returns
    -------
    Scene or None
        Phases with one offset and no ramp between them, amplitudes with one mean, one scale for
        all; None if nothing is covered.
    """
    region = region or covered_region(arms)
    if region is None or not arms or min(region.height, region.width) < 1:
        return None
    fields = {arm.name: Field(arm.image, arm.covered).within(region) for arm in arms}
    first = next(iter(fields.values()))
    target = first
    if truth is not None and truth.shape == arms[0].image.shape:
        target = Field(truth, np.ones(truth.shape, bool)).within(region)
    has_truth = target is not first
    step = step_of(target.values.shape)
    flat = {
        name: field if field is target else without_ramp(field, target, step)
        for name, field in fields.items()
    }
    small = target.thinned(step)
    where = where_defined(small.values, small.covered)
    turn = turn_to_middle(small.values, where)
    views = [
        View(arm.name, arm.label, images_of(flat[arm.name].thinned(step), small, turn))
        for arm in arms
    ]
    if has_truth:
        views.append(View(REFERENCE, reference, images_of(small, small, turn), is_reference=True))
    height, width = target.values.shape
    return Scene(
        views,
        step_px=step,
        passes_a_turn=passes_a_turn(np.angle(small.values * turn), where),
        notes=(
            f"{height} × {width} px, as far as patches lie; not registered. Phases have one offset "
            "and no ramp between them, amplitudes one mean; one scale for each row.",
        ),
    )


def covered_region(arms: Sequence[PartialArm]) -> Region | None:
    """Find the smallest rectangle that holds all that is covered; None if nothing is."""
    chosen = [arm.covered for arm in arms if arm.decides] or [arm.covered for arm in arms]
    masks = [mask for mask in chosen if mask.any()]
    if not masks:
        return None
    rows, columns = np.nonzero(np.logical_or.reduce(masks))
    top, left = int(rows.min()), int(columns.min())
    return Region(top, left, int(rows.max()) + 1 - top, int(columns.max()) + 1 - left)

"""What do arms, and what they are held against, show along the line that was asked for?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.common_measures import Together
from ptyrun.config import Presentation
from ptyrun.ptycho.metrics.phase_pair import turn_to_middle
from ptyrun.ptycho.metrics.profiles import along, edge_width_px
from ptyrun.results import LineProfile, LineResult

REFERENCE = "reference"


def line_result(shown: Presentation, together: Together) -> LineResult | None:
    """Give the profiles along the line; None where none was asked for, or arms share no pixels."""
    ground = together.ground
    if shown.line is None or ground is None:
        return None
    y0, x0, y1, x1 = shown.line_px
    top, left = ground.region.top, ground.region.left
    line = (y0 - top, x0 - left, y1 - top, x1 - left)
    truth = next(found.truth for found in together.arms.values())
    turn = turn_to_middle(truth, ground.covered)
    images = {name: found.recon for name, found in together.arms.items()} | {REFERENCE: truth}
    return LineResult(
        ends_px=shown.line_px,
        profiles={
            name: _profile(image * turn, ground.covered, line) for name, image in images.items()
        },
    )


def _profile(
    image: NDArray[np.complexfloating[Any, Any]],
    covered: NDArray[np.bool_],
    line: tuple[float, float, float, float],
) -> LineProfile:
    values = along(image, covered, line)
    amplitude = np.abs(values)
    phase = np.full(len(values), np.nan)
    known = np.isfinite(values)
    phase[known] = np.unwrap(np.angle(values[known]))
    return LineProfile(
        amplitude=tuple(None if np.isnan(each) else float(each) for each in amplitude),
        phase=tuple(None if np.isnan(each) else float(each) for each in phase),
        amplitude_edge_px=edge_width_px(amplitude),
        phase_edge_px=edge_width_px(phase),
    )

"""What do arms, and what they are held against, show along the line that was asked for?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.common_measures import Together
from ptyrun.config import Presentation
from ptyrun.ptycho.metrics.phase_pair import turn_to_middle
from ptyrun.ptycho.metrics.profiles import along, edge
from ptyrun.results import LineProfile, LineResult

REFERENCE = "reference"
Values = tuple[NDArray[np.float64], NDArray[np.float64]]


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
    values = {name: _values(image * turn, ground.covered, line) for name, image in images.items()}
    return LineResult(
        ends_px=shown.line_px,
        profiles={name: _profile(own, values[REFERENCE]) for name, own in values.items()},
    )


def why_none(shown: Presentation, together: Together, *, is_measured: bool) -> str | None:
    """Say why there are no profiles along a line that was asked for."""
    if shown.line is None or together.ground is not None:
        return None
    why = "the arms have too few pixels in common"
    if not is_measured:
        why = "there is neither a ground truth nor a reference to lay the arms on"
    return f"there are no profiles along --line {shown.line}: {why}"


def _values(
    image: NDArray[np.complexfloating[Any, Any]],
    covered: NDArray[np.bool_],
    line: tuple[float, float, float, float],
) -> Values:
    """Amplitude and phase (k,) along the line; NaN where they are not known."""
    values = along(image, covered, line)
    phase = np.full(len(values), np.nan)
    known = np.isfinite(values)
    phase[known] = np.unwrap(np.angle(values[known]))
    return np.abs(values), phase


def _profile(own: Values, reference: Values) -> LineProfile:
    shown = [tuple(None if np.isnan(each) else float(each) for each in values) for values in own]
    amplitude, phase = (
        edge(values).beside(edge(expected)) for values, expected in zip(own, reference, strict=True)
    )
    return LineProfile(
        amplitude=shown[0],
        phase=shown[1],
        amplitude_edge_px=amplitude.width_px,
        phase_edge_px=phase.width_px,
        amplitude_why_none=amplitude.why_none,
        phase_why_none=phase.why_none,
    )

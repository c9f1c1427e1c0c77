from __future__ import annotations

import numpy as np
import pytest

from ptyrun.errors import GeometryError
from ptyrun.ptycho.placement import check_span


@pytest.mark.parametrize("unit", [0, 1e-8, 0.009])
def test_positions_that_never_leave_a_pixel_are_refused(unit: float) -> None:
    positions = np.random.default_rng(0).uniform(40, 140, (50, 2)) * unit
    with pytest.raises(GeometryError, match=r"span 0\.\d\d px") as caught:
        check_span(positions)
    assert "object pixels" in str(caught.value)


@pytest.mark.parametrize(
    "positions",
    [[[50, 50]], [[50, 50], [50, 51]], [[50, 50], [58, 50]]],
    ids=["one", "a step", "a line"],
)
def test_a_line_and_a_single_position_may_be_scanned(positions: list[list[float]]) -> None:
    check_span(np.array(positions, float))

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.ptycho.geometry.coverage import promised
from ptyrun.ptycho.geometry.stitching import Stitcher

CROP_PX = 6
quarters = st.integers(-60, 200).map(lambda quarter: quarter / 4)


@settings(max_examples=60)
@given(st.lists(st.tuples(quarters, quarters), max_size=8))
def test_what_positions_promise_is_what_the_stitcher_covers(centres: list[tuple[float, float]]):
    positions = np.array(centres, float).reshape(-1, 2)
    stitcher = Stitcher((30, 34), CROP_PX)
    stitcher.add(np.ones((len(positions), 8, 8), "c8"), positions)
    covered = stitcher.result()[1] > 0
    assert np.array_equal(promised((30, 34), CROP_PX, [positions]), covered)
    assert np.array_equal(promised((30, 34), CROP_PX, [positions[:3], positions[3:]]), covered)


@pytest.mark.parametrize("n_positions", [0, 1])
def test_gaps_between_positions_are_no_promise(n_positions: int) -> None:
    positions = np.array([[10.0, 10.0]])[:n_positions]
    assert promised((30, 34), CROP_PX, [positions]).sum() == n_positions * CROP_PX**2

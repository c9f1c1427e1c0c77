"""Steps between positions: found strip by strip, they are those that a tree of all would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ptyrun.ptycho.consistency import spacing

random = np.random.default_rng(4)
raster = np.stack(np.meshgrid(np.arange(30), np.arange(40)), -1).reshape(-1, 2) * 0.7
LAYOUTS = {
    "scattered": random.uniform(0, 100, (900, 2)),
    "a raster": raster,
    "each twice": np.concatenate([raster, raster[::-1]]),
    "one line along x": np.c_[np.full(300, 5.0), np.arange(300.0)],
    "one line along y": np.c_[np.arange(300.0), np.full(300, 5.0)],
    "a far one": np.concatenate([raster, [[1e6, 0.0]]]),
    "rows far apart": np.c_[np.repeat(np.arange(20.0) * 1e4, 15), np.tile(np.arange(15.0), 20)],
    "lone ones": np.c_[np.arange(60.0) ** 3, random.uniform(0, 5, 60)],
}


def steps_px(positions_px: NDArray[np.float64]) -> list[float]:
    return sorted(np.concatenate([*spacing._steps_px(positions_px), []]).tolist())


def of_one_tree(positions_px: NDArray[np.float64]) -> list[float]:
    different = np.unique(positions_px, axis=0)
    if len(different) < 2:
        return []
    found: NDArray[np.float64] = KDTree(different).query(different, k=2)[0][:, 1]
    return sorted(found.tolist())


@pytest.mark.parametrize("strip", [7, 64, 1 << 20])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_steps_are_those_of_one_tree(
    layout: str, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spacing, "STRIP_POSITIONS", strip)
    assert steps_px(LAYOUTS[layout]) == of_one_tree(LAYOUTS[layout])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_steps_of_any_few_positions_are_those_of_one_tree(points: list[tuple[int, int]]) -> None:
    positions = np.array(points, np.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spacing, "STRIP_POSITIONS", 2)
        assert steps_px(positions) == of_one_tree(positions)

"""Does the simulation of a study fill windows as a session does?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Scale
from benchmarks.study import Cost, count, measure


def test_stages_that_fit_share_a_window() -> None:
    assert count({"a": Cost(40), "b": Cost(40), "c": Cost(40)}, 170) == 1
    assert count({"a": Cost(100), "b": Cost(100)}, 170) == 2


def test_a_stage_in_pieces_goes_over_many_windows() -> None:
    assert count({"a": Cost(1000, 5)}, 170) in range(6, 9)


def test_what_never_fits_is_named() -> None:
    with pytest.raises(ValueError, match="a needs 200 s"):
        count({"a": Cost(200)}, 170)


@given(st.lists(st.tuples(st.floats(1, 500), st.floats(0.1, 60)), max_size=8))
def test_windows_hold_all_the_work_and_are_not_wasted(stages: list[tuple[float, float]]) -> None:
    costs = {str(i): Cost(seconds, piece) for i, (seconds, piece) in enumerate(stages)}
    windows = count(costs, 170)
    work_s = sum(cost.seconds for cost in costs.values())
    assert work_s / 170 <= windows <= 2 + work_s / 80 + len(costs) * 0.1


def test_the_real_study_is_counted_on_a_cpu_and_on_a_gpu(tmp_path: Path) -> None:
    found = {figure.name: figure for figure in measure(Scale(1, True, tmp_path, tmp_path))}
    on_cpu, on_gpu = (found[f"windows of 170 s, networks on a {k}"] for k in ("CPU", "GPU"))
    assert 10 < on_gpu.value < on_cpu.value
    assert "stated" in on_gpu.note
    assert "docs/decisions" in on_cpu.note

"""Is an overrun measured from outside, and does a run that is slow come to its end?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import slow
from benchmarks.slow import Slowness
from benchmarks.windows import Comparison, Ended, ended_windows, write_scan
from ptyrun.errors import ExitCode

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the timer is Linux's")


def test_an_overrun_is_what_a_window_took_beyond_its_length() -> None:
    assert Ended(length_s=3.0, took_s=4.25, code=75).overrun_s == 1.25


def test_windows_end_while_a_model_loads_and_the_run_is_completed_by_longer_ones(
    tmp_path: Path,
) -> None:
    site, model = slow.install(tmp_path / "slow")
    comparison = Comparison(tmp_path / "load", site, model, write_scan(tmp_path / "scan.npz"))
    comparison.slowness = Slowness(load_s=800.0)  # longer than this test may take
    (ended,) = ended_windows(comparison, [3.0])
    assert ended.code == ExitCode.INCOMPLETE
    assert 0 < ended.overrun_s < 300, "it ends with its window, not with the model"
    comparison.slowness = Slowness(load_s=4.0)
    assert comparison.completed() == ExitCode.COMPLETE, comparison.said.read_text()
    assert (tmp_path / "load-0" / "results.json").exists()

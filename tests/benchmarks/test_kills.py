"""Is a study killed in each of its stages, and is what two hubs differ in found?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.kills import Size, measured
from benchmarks.sameness import differences


def write_hub(root: Path, *, loss: float = 0.5, took_s: float = 1.0) -> Path:
    root.mkdir()
    (root / "ledger").mkdir()
    (root / f"ledger/{took_s}").touch()
    (root / "results.json").write_text(json.dumps({"loss": loss, "took_s": took_s}))
    rows = [{"metric": "loss", "value": loss}, {"metric": "computation_time_s", "value": took_s}]
    (root / "summary.json").write_text(json.dumps({"metrics": rows}))
    (root / "table.csv").write_text(f"pinn,computation_time_s,{took_s}\nloss,{loss}\n")
    (root / "a.stage.json").write_text(json.dumps({"stage": "a", "sha256": str(took_s)}))
    (root / "place.txt").write_text(f"{root}/here\n")
    return root


def test_times_and_sessions_are_no_difference_and_numbers_are(tmp_path: Path) -> None:
    one = write_hub(tmp_path / "one")
    assert not differences(one, write_hub(tmp_path / "later", took_s=2.0))
    other = write_hub(tmp_path / "other", loss=0.6)
    assert differences(one, other) == ["results.json", "summary.json", "table.csv"]
    (other / "place.txt").unlink()
    (other / "more.npz").touch()
    assert set(differences(one, other)) >= {"place.txt", "more.npz"}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_each_stage_of_data_is_killed_once_and_nothing_differs(tmp_path: Path) -> None:
    """With networks and comparisons: `tests/cli/study/test_killed_study.py`."""
    size = Size((1000,), ("test",), n_positions=80, upto="data")
    found = {each.name: each for each in measured(tmp_path, size)}
    kills, missed = found["stages that were killed"], found["stages that no kill met"]
    assert kills.value + missed.value == 5
    assert kills.value > 2, kills.note
    for what in ("kills", "--clobber"):
        assert found[f"differences after {what}"].value == 0, found

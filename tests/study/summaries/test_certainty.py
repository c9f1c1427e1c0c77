from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.frame_results import FrameFigures
from ptyrun.results import ArmResult, Difference, Interval, Metric, Results
from ptyrun.study import analysis
from ptyrun.study.files import HubFiles
from ptyrun.study.summaries.certainty import certainty_table
from ptyrun.study.summaries.summarize import summarize
from tests.study.upstream_hubs import write_hub

TEST = "analysis/dose_1000/dense/test"


def results() -> Results:
    frames = FrameFigures(64, 64, 70, 100, True)
    arms = {
        name: ArmResult(
            label,
            "predictor",
            10,
            standard={"mae": Metric(phase=mae), "r_factor": Metric(value=0.15)},
            frames=frames,
            intervals={"mae.phase": Interval(mae - 0.01, mae + 0.01)},
        )
        for name, label, mae in (("pinn", "PtychoPINN", 0.1), ("baseline", "=Baseline", 0.3))
    }
    differences = (Difference("pinn", "baseline", {"mae.phase": Interval(-0.25, -0.15)}),)
    return Results("0" * 64, True, (0, 0, 9, 9), arms, differences=differences)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_study_has_intervals_and_r_factors_of_its_comparisons(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub")
    summarize(hub)
    assert not (hub / analysis.CERTAINTY_TABLE).exists(), "upstream's comparisons have none"
    (hub / TEST / "results.json").write_text(results().to_json())
    assert analysis.CERTAINTY_TABLE in summarize(hub).written
    found = rows((hub / analysis.CERTAINTY_TABLE).read_text())
    first = next(row for row in found if row["model"] == "PtychoPINN")
    assert (first["dose"], first["view"], first["split"]) == ("1000", "dense", "test")
    assert (first["model"], first["figure"], first["value"]) == ("PtychoPINN", "mae.phase", "0.1")
    assert float(first["high"]) == 0.11
    assert any(row["figure"] == "r_factor.value" and row["value"] == "0.15" for row in found)
    (difference,) = (row for row in found if row["against"])
    assert difference["model"] == "PtychoPINN"
    assert difference["against"] == "'=Baseline", "no text is a spreadsheet's formula"
    assert float(difference["value"]) == 0.1 - 0.3
    assert difference["beyond"] == "yes"


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        ((1.0, 1.0), (">=", ">=", "?")),
        ((1.0, 0.4), (">=", "", ">=")),
        ((0.4, 1.0), ("", ">=", "<=")),
        ((0.4, 0.3), ("", "", "")),
    ],
)
def test_what_is_not_reached_up_to_nyquist_is_a_bound(
    tmp_path: Path, values: tuple[float, float], bounds: tuple[str, str, str]
) -> None:
    hub = write_hub(tmp_path / "hub")
    arms = {
        name: replace(
            arm,
            standard={"frc50": Metric(phase=value)},
            intervals={"frc50.phase": Interval(value - 0.1, value)},
            at_least=("frc50.phase",) if value == 1 else (),
        )
        for (name, arm), value in zip(results().arms.items(), values, strict=True)
    }
    differences = (Difference("pinn", "baseline", {"frc50.phase": Interval(-0.1, 0.1)}),)
    made = replace(results(), arms=arms, differences=differences)
    (hub / TEST / "results.json").write_text(made.to_json())
    summarize(hub)
    found = rows((hub / analysis.CERTAINTY_TABLE).read_text())
    said = {
        (row["model"], bool(row["against"])): row["bound"]
        for row in found
        if row["figure"] == "frc50.phase"
    }
    assert said == {
        ("PtychoPINN", False): bounds[0],
        ("'=Baseline", False): bounds[1],
        ("PtychoPINN", True): bounds[2],
    }


def test_what_is_no_results_is_left_out(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub")
    (hub / TEST / "results.json").write_text("{}")
    summarize(hub)
    assert not (hub / analysis.CERTAINTY_TABLE).exists()
    assert certainty_table(HubFiles.of(hub), []) is None
    chance = replace(results(), differences=(Difference("pinn", "baseline", {}),))
    assert chance.are_distinguished("pinn", "baseline", "mae.phase") is None

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

from ptyrun.report import long_table, tables
from ptyrun.resolutions import bounds
from ptyrun.results import Interval, Metric, Results
from tests.stages import finished_run


def rows_of(results: Results) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(long_table.metrics_csv(results))))


def test_intervals_stand_beside_the_figures_that_they_are_of(tmp_path: Path) -> None:
    results = Results.load(finished_run.write(tmp_path / "run").results)
    name, arm = next(iter(results.arms.items()))
    known = {"complex_error.value": Interval(0.1, 0.3)}
    rows = rows_of(replace(results, arms={**results.arms, name: replace(arm, intervals=known)}))
    (row,) = [each for each in rows if (each["arm"], each["low"]) == (name, "0.1")]
    assert (row["definition"], row["metric"], row["component"]) == (
        *("standard", "complex_error", "value"),
    )
    assert (float(row["value"]), row["high"]) == (arm.standard["complex_error"].value, "0.3")


def test_no_crossing_is_told_from_what_cannot_be_told(tmp_path: Path) -> None:
    results = Results.load(finished_run.write(tmp_path / "run").results)
    name, arm = next(iter(results.arms.items()))
    standard = {"frc50": Metric(0.4, 1.0), "mae": Metric(amplitude=0.1)}
    why = {"frc50.value": "it has two pixels", "mae.phase": "there is no light"}
    known = {"frc50.phase": Interval(0.9, 1.0)}
    changed = replace(arm, standard=standard, undefined=why, own=None, metrics={}, diagnostics={})
    changed = replace(changed, at_least=bounds(standard), intervals=known)
    alone = replace(results, arms={name: changed}, pairs=())
    shown = ("value", "high", "bound", "why_none")
    assert {
        (row["metric"], row["component"]): tuple(row[each] for each in shown)
        for row in rows_of(alone)
    } == {
        ("frc50", "amplitude"): ("0.4", "", "", ""),
        ("frc50", "phase"): ("1.0", "1.0", ">=", ""),
        ("frc50", "value"): ("", "", "", "it has two pixels"),
        ("mae", "amplitude"): ("0.1", "", "", ""),
        ("mae", "phase"): ("", "", "", "there is no light"),
    }
    shown_rows = {(r.heading, r.component): r for r in tables.standard_table(alone).rows}
    assert shown_rows["FRC50", "phase"].cells[0].interval == "0.9000 … ≥ 1"
    values = [row["value"] for row in long_table.read(long_table.metrics_csv(alone))]
    assert [isinstance(each, float) and math.isnan(each) for each in values].count(True) == 2

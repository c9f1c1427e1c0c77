from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ptyrun.comparison.conclusion import conclusion
from ptyrun.resolutions import with_bounds
from ptyrun.results import HalvesResult, Metric, Results
from tests.stages import finished_run

NONE = {"amplitude": None, "phase": None, "value": None}


def test_what_was_null_without_a_reason_in_older_results_is_a_bound() -> None:
    arm = {
        "standard": {"frc50": {**NONE, "phase": 0.4}, "psnr": NONE},
        "undefined": {"frc50.amplitude": "holes"},
        "halves": {"precision": {"frc50": NONE}, "undefined": {}},
        "own": None,
    }
    found = with_bounds({"arms": {"a": arm}, "pairs": []})["arms"]["a"]
    assert found["standard"]["frc50"] == {"amplitude": None, "phase": 0.4, "value": 1.0}
    assert found["standard"]["psnr"] == NONE
    assert found["at_least"] == ["frc50.value"]
    assert found["halves"]["at_least"] == ["frc50.amplitude", "frc50.phase", "frc50.value"]


def test_halves_that_agree_up_to_nyquist_are_said_to_do_so(tmp_path: Path) -> None:
    results = Results.load(finished_run.write(tmp_path / "run").results)
    halves = HalvesResult({"frc50": Metric(value=1.0)}, {}, 1.0, 0.5, ("frc50.value",))
    arms = {**results.arms, "pinn": replace(results.arms["pinn"], halves=halves)}
    lines = {line.name: line.text for line in conclusion(replace(results, arms=arms), "Truth")}
    assert lines["Resolution"].endswith("agree up to: PtychoPINN ≥ 1 of Nyquist (no crossing)")

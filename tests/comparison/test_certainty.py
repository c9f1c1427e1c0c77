from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ptyrun.comparison import conclusion
from ptyrun.comparison.certainty import NO_PIXELS, NO_REFERENCE, Certainty
from ptyrun.comparison.common_measures import Together
from ptyrun.comparison.frame_figures import ArmFrames, Held
from ptyrun.comparison.kept import Finding
from ptyrun.comparison.kept_tiles import tiles_of, with_tiles
from ptyrun.comparison.run import Run
from ptyrun.engine.manifest import Manifest
from ptyrun.frame_results import FrameFigures
from ptyrun.paths import RunPaths
from ptyrun.ptycho.metrics.standard_metrics import standard_metrics
from ptyrun.report import tables
from ptyrun.results import Difference, Interval, Results
from ptyrun.stages import finalize
from tests.scans import small_object


@pytest.fixture(scope="module")
def results(complete_run: Path) -> Results:
    return Results.load(complete_run / "results.json")


@pytest.mark.slow
def test_figures_lie_within_their_intervals(results: Results) -> None:
    assert results.resampling is not None
    assert results.resampling.why_none == ""
    assert results.resampling.n_blocks is not None
    assert results.resampling.n_blocks >= 9
    for arm in results.arms.values():
        assert {"mae.amplitude", "mae.phase", "coherence.value"} <= arm.intervals.keys()
        for name in ("mae.amplitude", "mae.phase", "complex_error.value"):
            metric, part = name.split(".")
            value, interval = arm.standard[metric][part], arm.intervals[name]
            assert value is not None
            assert interval.low <= value <= interval.high
            assert interval.low < interval.high


def test_a_good_arm_is_told_from_an_untrained_one_and_two_of_these_need_not_be(
    results: Results,
) -> None:
    assert len(results.differences) == 3
    assert results.are_distinguished("pinn", "reconstruction", "mae.phase")
    assert results.are_distinguished("reconstruction", "pinn", "mae.phase")
    assert results.are_distinguished("pinn", "reconstruction", "no_such.figure") is None
    (found,) = (each for each in results.differences if each.second == "baseline")
    assert found.first == "pinn"


def best(results: Results, heading: str, component: str) -> list[bool]:
    rows = tables.standard_table(results).rows
    (row,) = (row for row in rows if (row.heading, row.component) == (heading, component))
    return [cell.is_best for cell in row.cells]


def test_the_best_is_named_only_where_no_difference_is_chance(results: Results) -> None:
    names = list(results.arms)
    assert best(results, "MAE", "phase") == [name == "reconstruction" for name in names]
    chance = tuple(
        Difference(each.first, each.second, {"mae.phase": Interval(-1.0, 1.0)})
        for each in results.differences
    )
    assert not any(best(replace(results, differences=chance), "MAE", "phase"))
    older = replace(results, differences=(), resampling=None)
    assert any(best(older, "MAE", "phase")), "results without intervals are shown as they were"


def test_where_nothing_can_be_resampled_there_is_a_reason(
    results: Results, complete_run: Path
) -> None:
    nothing, scan = Together(None, {}, {}), Run(complete_run).scan
    for seen, why in ((scan, NO_PIXELS), (replace(scan, object_guess=None), NO_REFERENCE)):
        bare = ArmFrames(FrameFigures(0, 0, 0, 9, is_common=False), None, "there is no probe")
        found = Certainty._resampled({}, seen, nothing, Held({"pinn": bare}, None))
        assert found.resampling is not None
        assert found.resampling.why_none == f"{why}, and for the frames: there is no probe"
        said = conclusion.conclusion(replace(results, resampling=found.resampling), "ground truth")
        assert any(found.resampling.why_none in str(line) for line in said)


def test_sums_are_taken_over_by_a_later_window() -> None:
    image = small_object()
    tiles = standard_metrics(image * 1.1, image, np.ones(image.shape, bool), tiled=True).tiles
    assert tiles is not None
    again = tiles_of(with_tiles(Finding({}, {}), tiles))
    assert again is not None
    assert again.sums.keys() == tiles.sums.keys()
    assert all(np.array_equal(again.sums[name], tiles.sums[name]) for name in tiles.sums)
    assert (again.tile_px, again.ranges) == (tiles.tile_px, tiles.ranges)


@pytest.mark.slow
def test_resolutions_are_half_periods_in_nm_where_the_pixel_is_known(
    results: Results, complete_run: Path, tmp_path: Path
) -> None:
    assert results.half_period_unit == "px"
    for arm in results.arms.values():
        for name, metric in arm.half_period.items():
            fraction = arm.standard[name].value
            assert (metric.value is None) == (not fraction)
            assert not fraction or metric.value == pytest.approx(1 / fraction)
    paths = RunPaths(Path(shutil.copytree(complete_run, tmp_path / "run")))
    manifest = Manifest.load(paths.manifest)
    replace(manifest, sources={**manifest.sources, "pixel_size_m": 2.5e-8}).save(paths.manifest)
    there = finalize.finalize(paths.root)
    assert there.half_period_unit == "nm"
    arm = there.arms["reconstruction"]
    for name, metric in results.arms["reconstruction"].half_period.items():
        if metric.value is not None:
            assert arm.half_period[name].value == pytest.approx(25 * metric.value)


def test_every_metric_of_results_is_in_the_table_of_metrics(results: Results) -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    field, upstream = text.split("## Under upstream's names")
    named, upstreams = (
        {name for row in re.findall(r"^\| (`.+?) \|", part, re.MULTILINE) for name in names(row)}
        for part in (field, upstream)
    )
    for arm in results.arms.values():
        assert arm.standard.keys() <= named
        assert arm.metrics.keys() <= upstreams
        assert arm.halves is None or arm.halves.precision.keys() <= named
    assert results.truth.keys() <= named
    of_arms = {name for arm in results.arms.values() for name in arm.standard}
    assert named <= {*of_arms, "counting_noise"}
    cited = {name for name, source in results.sources.items() if "doi:" in source}
    for name in cited:
        (row,) = re.findall(rf"^\| `{name}` \|.*$", field, re.MULTILINE)
        assert "doi:" in row, name


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ptyrun.comparison import lines
from ptyrun.comparison.common_measures import Together
from ptyrun.config import Presentation
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import GeometryError, UsageError
from ptyrun.paths import RunPaths
from ptyrun.results import Results
from ptyrun.stages import finalize, plan
from tests.scans import small_object
from tests.studies import Study


@pytest.mark.slow
def test_arms_have_profiles_along_a_line(complete_run: Path, tmp_path: Path) -> None:
    paths = RunPaths(Path(shutil.copytree(complete_run, tmp_path / "run")))
    assert Results.load(paths.results).line is None
    manifest = Manifest.load(paths.manifest)
    line = {"line": "44,32,44,56"}
    replace(manifest, sources={**manifest.sources, **line}).save(paths.manifest)
    found = finalize.finalize(paths.root)
    assert Results.load(paths.results).line == found.line
    assert found.line is not None
    assert found.line.ends_px == (44.0, 32.0, 44.0, 56.0)
    assert found.line.profiles.keys() == {*found.arms, "reference"}
    profile = found.line.profiles["reference"]
    expected = np.abs(small_object()[44, 32:57])
    assert np.array(profile.amplitude, float) == pytest.approx(expected, abs=1e-5)
    own = np.array(found.line.profiles["reconstruction"].amplitude, float)
    assert np.abs(own - expected).mean() < 0.05
    assert len(profile.phase) == 25
    for each in found.line.profiles.values():
        assert (each.amplitude_edge_px is None) is bool(each.amplitude_why_none)
        assert (each.phase_edge_px is None) is bool(each.phase_why_none)


def test_it_is_said_why_there_are_no_profiles() -> None:
    together = Together(None, {}, {})
    asked = Presentation(line="0,0,20,20")
    without = lines.why_none(asked, together, is_measured=False)
    assert without is not None and "--line 0,0,20,20: there is neither a ground truth" in without
    apart = lines.why_none(asked, together, is_measured=True)
    assert apart is not None and "too few pixels in common" in apart
    assert lines.why_none(Presentation(), together, is_measured=True) is None


@pytest.mark.parametrize("line", ["0,0,95,89", "95,0,0,89.0"])
def test_a_line_from_edge_to_edge_of_the_object_is_on_it(line: str) -> None:
    Presentation(line=line).require_line_on(96, 90)


@pytest.mark.parametrize("line", ["0,0,96,89", "0,0,95,89.5", "-1,0,20,20", "500,500,540,540"])
def test_a_line_that_leaves_the_object_is_refused_before_any_work(
    line: str, study: Study, tmp_path: Path
) -> None:
    config = replace(study.config(tmp_path / "run"), presentation=Presentation(line=line))
    with pytest.raises(GeometryError, match="leaves the object") as refused:
        plan.plan(config)
    assert "96 x 90 px: y is in 0..95, x in 0..89" in str(refused.value)
    assert not (tmp_path / "run" / "manifest.json").exists()


@pytest.mark.parametrize("line", ["", "1,2,3", "1,2,3,x", "1,2,3,4", "0,0,0,nan", "0,0,1e9,0"])
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="--line"):
        Presentation(line=line)

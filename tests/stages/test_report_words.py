"""Does a report leave out what says nothing, and keep words whole?"""

from __future__ import annotations

from pathlib import Path

import pytest

from ptyrun.config.study import Split, View
from ptyrun.stages.report import report
from ptyrun.study.analysis import DEBUG, job_folder
from tests.stages import finished_run


def test_a_run_that_computed_nothing_has_no_timeline_and_options_stay_on_one_line(
    tmp_path: Path,
) -> None:
    alone = {"reconstruction": "PtyChi"}
    notes = ["if it is the truth, use --ground-truth objectGuess"]
    run = finished_run.write(
        tmp_path / "run", labels=alone, notes=notes, n_sessions=0, pixel_size_m=4e-8
    )
    made = report(run.root)
    text = made.html.read_text()
    assert 'id="timeline"' not in text and 'href="#timeline"' not in text
    assert "Timeline" not in made.markdown.read_text()
    assert 'use <span class="option">--ground-truth</span> objectGuess' in text
    assert "<dt>Object pixel</dt><dd>40 nm</dd>" in text


@pytest.mark.parametrize("split", list(Split))
@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize("dose", [1e3, 2.5e5])
def test_the_title_of_a_studys_comparison_says_dose_and_view(
    dose: float, view: View, split: Split, tmp_path: Path
) -> None:
    for above, more, said in (("", "", ""), ("analysis/dose_7", DEBUG, ", debug")):
        folder = tmp_path / above / (job_folder(dose, view, split) + more)
        folder.parent.mkdir(parents=True)
        run = finished_run.write(folder)
        text = report(run.root).html.read_text()
        assert f"<h1>patched_test, dose {dose:.0f}, {view}{said}: PtychoPINN," in text


def test_the_title_of_any_other_run_is_of_its_scan(tmp_path: Path) -> None:
    for name in ("run", "dense", "analysis"):
        run = finished_run.write(tmp_path / name)
        assert "<h1>patched_test: PtychoPINN," in report(run.root).html.read_text()

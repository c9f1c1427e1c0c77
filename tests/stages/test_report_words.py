"""Does a report leave out what says nothing, and keep words whole?"""

from __future__ import annotations

from pathlib import Path

from ptyrun.stages.report import report
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

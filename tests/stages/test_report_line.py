"""Does a report show what was asked for along a line?"""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from ptyrun.host import checksums
from ptyrun.paths import RunPaths
from ptyrun.report import long_table
from ptyrun.results import LineProfile, LineResult, Results
from ptyrun.stages.report import ReportFiles, report
from tests.stages import finished_run

NO_EDGE = "there are two edges: the profile ends at the level it began at"


def profile(width_px: float | None, why: str = "", gap: slice | None = None) -> LineProfile:
    """An edge of 41 values."""
    amplitude: list[float | None] = list(0.8 + 0.1 * np.tanh((np.arange(41.0) - 20) / 3))
    if gap is not None:
        amplitude[gap] = [None] * len(amplitude[gap])
    phase = tuple(-0.4 * n / 40 for n in range(41))
    return LineProfile(tuple(amplitude), phase, width_px, None, why, NO_EDGE)


def reported(folder: Path, pixel_size_m: float | None = None, *, has_line: bool = True) -> Path:
    run = finished_run.write(folder, pixel_size_m=pixel_size_m)
    if has_line:
        profiles = {
            "pinn": profile(3.25),
            "baseline": profile(None, "the line leaves <the arms>", slice(8, 14)),
            "reconstruction": profile(6.5),
            "reference": profile(3.0),
        }
        found = Results.load(run.results)
        line = LineResult((44.0, 32.0, 44.0, 72.0), profiles)
        run.results.write_text(replace(found, line=line).to_json())
        checksums.write(run.root, [run.results, run.objects, *run.root.glob("*.csv")])
    return run.root


def made(run: Path) -> tuple[str, str, ReportFiles]:
    files = report(run)
    return files.html.read_text(), files.markdown.read_text(), files


def test_profiles_of_all_arms_are_drawn_with_axes_in_px_and_nm(tmp_path: Path) -> None:
    page, _, _ = made(reported(tmp_path / "run", 2.5e-8))
    section = page[page.index('<h2 id="line">') : page.index('<h2 id="metrics">')]
    assert "From y 44, x 32 to y 44, x 72 px" in section
    assert section.count("<polyline") == 9, "four of each quantity, one of them with a gap"
    for css in ("c0", "c1", "c2", "reference"):
        assert f'<polyline class="{css}"' in section
    assert "distance along the line (px)" in section
    assert "(above: nm)" in section and ">1000</text>" in section
    assert "phase (rad)" in section
    assert "3.25 px (81.25 nm)" in section
    assert NO_EDGE in section and "the line leaves &lt;the arms&gt;" in section


def test_without_a_pixels_size_all_is_in_px_and_without_a_line_nothing_is_there(
    tmp_path: Path,
) -> None:
    page, text, _ = made(reported(tmp_path / "run"))
    section = page[page.index('<h2 id="line">') : page.index('<h2 id="metrics">')]
    assert "(above: nm)" not in section and " nm)" not in section
    assert "<td>3.25 px</td>" in section
    for words in made(reported(tmp_path / "other", has_line=False))[:2]:
        assert "along the line" not in words
    assert "along the line" in text


def test_widths_and_why_there_are_none_are_in_the_text_and_in_the_table(tmp_path: Path) -> None:
    _, text, files = made(reported(tmp_path / "run", 2.5e-8))
    rows = re.findall(r"^\| Edge width .*$", text, re.MULTILINE)
    assert rows[0] == (
        "| Edge width amplitude | 3.00 px (75 nm) | 3.25 px (81.25 nm) | n/a (1) "
        "| 6.50 px (162.5 nm) |"
    )
    assert f"- n/a (2): {NO_EDGE}" in text
    found = [row for row in long_table.read(files.metrics_csv.read_text())
             if row["definition"] == "line"]  # fmt: skip
    assert len(found) == 8
    assert {row["metric"] for row in found} == {"edge_width_px"}
    amplitude, phase = (row for row in found if row["arm"] == "pinn")
    assert (amplitude["component"], amplitude["value"]) == ("amplitude", 3.25)
    assert phase["why_none"] == NO_EDGE


def test_the_values_themselves_are_in_a_table_of_their_own(tmp_path: Path) -> None:
    files = made(reported(tmp_path / "run"))[2]
    with files.line_csv.open(newline="") as table:
        rows = [*csv.DictReader(table)]
    assert len(rows) == 4 * 41
    assert {row["arm"] for row in rows} == {"pinn", "baseline", "reconstruction", "reference"}
    baseline = [row for row in rows if row["arm"] == "baseline"]
    assert [row["amplitude"] for row in baseline[8:14]] == [""] * 6
    assert float(baseline[20]["amplitude"]) == 0.8
    last = baseline[-1]
    assert [last[name] for name in ("distance_px", "y_px", "x_px")] == ["40", "44.0", "72.0"]
    assert float(last["phase_rad"]) == -0.4
    assert files.line_csv.name in (files.html.parent / "SHA256SUMS").read_text()
    assert not made(reported(tmp_path / "other", has_line=False))[2].line_csv.exists()


def test_results_of_before_that_do_not_say_why_are_shown(tmp_path: Path) -> None:
    run = RunPaths(reported(tmp_path / "run"))
    found = Results.load(run.results)
    assert found.line is not None
    old = {name: replace(each, amplitude_why_none="", phase_why_none="")
           for name, each in found.line.profiles.items()}  # fmt: skip
    run.results.write_text(replace(found, line=replace(found.line, profiles=old)).to_json())
    checksums.write(run.root, [run.results, run.objects, *run.root.glob("*.csv")])
    assert "<td>n/a</td>" in made(run.root)[0]

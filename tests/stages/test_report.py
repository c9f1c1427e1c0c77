from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import zarr
from PIL import Image

from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import Closed
from ptyrun.engine.session_ledger import begin
from ptyrun.errors import DamageError, SchemaError, UnfinishedError
from ptyrun.host import checksums
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from ptyrun.results import HalvesResult, Interval, Metric, Results
from ptyrun.stages.report import ReportFiles, report
from tests.stages import finished_run

MISMATCH = "no shift brings it onto the scan: it belongs to another split"
HOSTILE = '<script>alert("x")</script>'


class Markup(HTMLParser):
    """Tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [a for name, a in self.tags if name == tag and wanted.items() <= a.items()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    folder = tmp_path_factory.mktemp("report") / "dense_test"
    return finished_run.write(
        folder, mismatch=MISMATCH, notes=["diff3d was read as amplitude"], pixel_size_m=5e-9
    )


@pytest.fixture(scope="module")
def files(run: RunPaths) -> ReportFiles:
    return report(run.root)


@pytest.fixture(scope="module")
def page(files: ReportFiles) -> Markup:
    return Markup(files.html.read_text(encoding="utf-8"))


def test_amplitude_phase_and_field_of_every_arm_and_the_truth_are_pictured(page: Markup) -> None:
    figures = {figure["id"] for figure in page.all("figure", **{"class": "picture"})}
    assert "probe-scan" in figures
    for row in ("amplitude", "phase", "field"):
        for name in ("pinn", "baseline", "reconstruction", "ground-truth"):
            assert f"{row}-{name}" in figures
    for row in ("amplitude-error", "phase-error"):
        assert {f"{row}-{arm}" for arm in ("pinn", "baseline", "reconstruction")} <= figures


def test_every_picture_is_inside_the_page_and_says_what_it_shows(page: Markup) -> None:
    images = page.all("img")
    assert len(images) > 20
    for image in images:
        assert image["alt"]
        data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
        width, height = Image.open(io.BytesIO(data)).size
        if "width" in image:
            assert (width, height) == (int(image["width"]), int(image["height"]))


def test_pictures_show_what_the_arms_cover(page: Markup) -> None:
    (picture,) = (i for i in page.all("img") if i["alt"].startswith("Complex field of PtychoPINN"))
    assert (picture["width"], picture["height"]) == ("96", "108")
    data = base64.b64decode(picture["src"].split(",")[1])
    alpha = Image.open(io.BytesIO(data)).convert("RGBA").getchannel("A")
    assert (alpha.getpixel((90, 3)), alpha.getpixel((3, 3))) == (0, 255)


def test_scale_bars_are_in_metres_when_the_pixel_size_is_known(
    page: Markup, tmp_path: Path
) -> None:
    labels = {a["aria-label"] for a in page.all("span", **{"class": "length"})}
    assert labels == {"Scale bar: 100 nm", "Scale bar: 20 nm"}, "of objects and of the probe"
    plain = Markup(report(finished_run.write(tmp_path / "r").root).html.read_text())
    labels = {a["aria-label"] for a in plain.all("span", **{"class": "length"})}
    assert labels == {"Scale bar: 20 px", "Scale bar: 5 px"}


def script_digests(text: str) -> list[str]:
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    return [base64.b64encode(digest).decode() for digest in digests]


def test_the_page_runs_its_own_script_alone_and_refers_to_nothing_but_dois_and_its_neighbours(
    files: ReportFiles, page: Markup,
) -> None:  # fmt: skip
    (digest,) = script_digests(files.html.read_text())
    assert page.all("script") == [{}]
    for _, attributes in page.tags:
        for name in ("src", "href"):
            target = attributes.get(name, "#")
            assert target.startswith(("#", "data:", "https://doi.org/")) or target in {
                "report.md",
                "metrics.csv",
            }
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy["content"]


def test_a_mismatch_stands_in_an_alert_before_the_first_picture(files: ReportFiles) -> None:
    text = files.html.read_text()
    assert 0 < text.index('role="alert"') < text.index(MISMATCH) < text.index('class="picture"')
    assert text.index("diff3d was read as amplitude") > text.index('class="picture"')
    assert f"**PtyChi**: {MISMATCH}" in files.markdown.read_text()


def test_labels_and_notes_from_files_are_shown_as_text(tmp_path: Path) -> None:
    labels = {"pinn": HOSTILE + " ``` ", "baseline": "a|b"}
    folder = tmp_path / "``` <script>"  # in the command, which is fenced by one tick more
    files = report(finished_run.write(folder / "run", labels, notes=[HOSTILE]).root)
    text = files.html.read_text()
    assert text.count("<script") == len(script_digests(text)) == 1
    assert HOSTILE in Markup(text).text
    before, _, after = files.markdown.read_text().split("````")
    assert "<script" not in before + after
    assert "a\\|b" in before


def test_a_label_in_markdown_is_no_tag_no_entity_and_no_picture(tmp_path: Path) -> None:
    labels = {"pinn": "<img src=x>", "baseline": "![x](https://elsewhere/x.png)"}
    shown = report(finished_run.write(tmp_path / "run", labels, notes=["&lt;b> *a*"]).root)
    before, _, after = shown.markdown.read_text().split("```")
    assert "<img" not in before + after
    assert "[x](" not in before + after
    assert "!\\[x\\](https" in before
    assert "- &amp;lt;b> \\*a\\*" in before


def test_thresholds_and_every_arm_are_drawn_in_all_correlation_plots(page: Markup) -> None:
    plots = page.all("figure", **{"class": "plot"})
    assert [plot["id"] for plot in plots] == [
        f"plot-frc-reference-{quantity}" for quantity in ("amplitude", "phase", "field")
    ]  # fmt: skip
    lines = [line["class"] for line in page.all("polyline")]
    assert lines == 3 * [
        "threshold t0", "threshold t1", "threshold t2", "threshold t3", "c0", "c1", "c2",
    ]  # fmt: skip


def test_correlations_below_zero_are_drawn_below_zero(page: Markup) -> None:
    assert "−0.5" in page.text
    depths = [float(pair.split(",")[1]) for line in page.all("polyline") if line["class"] == "c2"
              for pair in line["points"].split()]  # fmt: skip
    zero = {float(line["y1"]) for line in page.all("line", **{"class": "grid"})}
    assert max(depths) > sorted(zero)[5]


def test_the_frequency_axis_is_in_nanometres_where_the_pixel_size_is_known(
    page: Markup, tmp_path: Path
) -> None:
    assert "(above: 1/nm)" in page.text
    plain = Markup(report(finished_run.write(tmp_path / "r").root).html.read_text())
    assert "1/nm" not in plain.text


def test_the_conclusion_comes_first_with_figures_of_the_results(
    run: RunPaths, files: ReportFiles
) -> None:
    text = files.html.read_text()
    first, last = text.index('class="conclusion"'), text.index("</dl>")
    assert text.index("<h1>") < first < text.index('class="picture"')
    shown = Markup(text[first:last])
    assert len(shown.all("dt")) == len(shown.all("dd")) == 5
    assert "patched_test: PtychoPINN, Baseline, PtyChi" in Markup(text).text
    arms = Results.load(run.results).arms
    best, second = (arms[name].standard["complex_error"].value for name in ("pinn", "baseline"))
    assert best is not None and second is not None
    assert f"PtychoPINN, with a relative error of the complex field of {best:.4f}" in shown.text
    assert f"Baseline {second:.4f} (+{second - best:.4f})" in shown.text
    assert f"Baseline {5 / 0.6:.3g} nm, 0.600 of Nyquist" in shown.text
    assert "PtychoPINN ≤ 5 nm, ≥ 1 of Nyquist (no crossing)" in shown.text


def test_all_pictures_of_a_row_have_one_colour_bar_and_errors_are_around_zero(
    page: Markup,
) -> None:
    bars = [i["alt"] for i in page.all("img") if i["alt"].startswith("Colour bar")]
    assert [bar.split(",")[1].split(" from")[0].strip() for bar in bars] == [
        "phase (rad)", "amplitude", "phase error (rad)", "amplitude error",
    ]  # fmt: skip


def test_tables_stand_once_upstreams_folded(page: Markup) -> None:
    names = [table["id"] for table in page.all("table") if "id" in table]
    assert names == ["table-standard", "table-upstream", "table-diagnostics"]
    assert len(page.all("details")) == 4, "notes, and the sources of the standard ones, too"


def test_a_finished_page_does_not_load_itself_again(page: Markup) -> None:
    assert not page.all("meta", **{"http-equiv": "refresh"})
    assert not page.all("p", **{"class": "live"})


def test_the_timeline_names_windows_failures_and_a_death(page: Markup) -> None:
    labels = [s["aria-label"] for s in page.all("svg") if s.get("aria-label", "")[:6] == "Window"]
    assert labels == [
        "Window 1: 4 chunks in 11 s, 1 failed",
        "Window 2: 4 chunks in 11 s, 1 failed",
        "Window 3: 2 chunks in 7.2 s",
    ]
    assert "ValueError: <bad>" in page.text
    assert re.search(r"\d s, killed\s", page.text)


def test_workers_share_a_window_and_a_repair_or_a_call_too_many_is_none(tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run")
    planned = Manifest.load(run.manifest)
    for reason in ("repaired", "complete"):
        begin(open_ledger(run, planned), None, Process.current(), "0.1.0").close(
            Closed(0, reason, 0, 2.0)
        )
    for lasted_s in (5.0, 7.0):
        begin(open_ledger(run, planned), 20.0, Process.current(), "0.1.0", "crew").close(
            Closed(75, "the window closed", 0, lasted_s)
        )
    page = Markup(report(run.root).html.read_text())
    labels = [s["aria-label"] for s in page.all("svg") if s.get("aria-label", "")[:6] == "Window"]
    assert [label.partition(":")[0] for label in labels] == [
        "Window 1", "Window 2", "Window 3", "Window 4", "Window 4",
    ]  # fmt: skip
    assert "- Windows: **4**" in (run.report / "report.md").read_text()


def test_a_session_of_another_host_without_an_end_may_still_be_at_work(tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run")
    begin(
        open_ledger(run, Manifest.load(run.manifest)),
        20.0,
        Process("far-away", "boot", 1, 1.0),
        "0.1.0",
    ).abandon()
    page = Markup(report(run.root).html.read_text())
    assert "killed, or still at work" in page.text


def test_a_reconstruction_that_fills_the_grid_does_not_widen_the_pictures(tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run")
    coverage = zarr.open_array(run.objects / "reconstruction/coverage", mode="r+")
    coverage[...] = 1.0
    checksums.write(run.root, [run.results, run.objects])
    images = Markup(report(run.root).html.read_text()).all("img")
    (picture,) = (i for i in images if i["alt"].startswith("Complex field of PtyChi"))
    assert (picture["width"], picture["height"]) == ("96", "108")


def test_intervals_stand_below_their_figures_and_halves_in_a_table(tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run")
    found = Results.load(run.results)
    halves = HalvesResult({"frc50": Metric(value=0.4321)}, {}, 1.0, 0.0)
    arm = replace(
        found.arms["pinn"], intervals={"mae.phase": Interval(0.0401, 0.0612)}, halves=halves
    )
    run.results.write_text(replace(found, arms={**found.arms, "pinn": arm}).to_json())
    checksums.write(run.root, [run.results, run.objects])
    files = report(run.root)
    text = files.html.read_text()
    assert "<small>0.04010 … 0.06120</small>" in text
    assert "(0.04010 … 0.06120)" in files.markdown.read_text()
    assert Markup(text).all("table", id="table-halves")
    assert "0.4321" in text


def test_figures_of_other_pixels_are_not_ranked(tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run")
    found = Results.load(run.results)
    assert Markup(report(run.root).html.read_text()).all("td", **{"class": "best"})
    own = found.arms["baseline"].own
    assert own is not None
    poor = replace(found.arms["baseline"], own=replace(own, covered_share=0.4))
    run.results.write_text(replace(found, arms={**found.arms, "baseline": poor}).to_json())
    checksums.write(run.root, [run.results, run.objects])
    page = Markup(report(run.root).html.read_text())
    assert not page.all("td", **{"class": "best"})
    assert "between 40% and 100% of the region" in page.text


def test_fingerprints_versions_and_the_command_are_given(run: RunPaths, page: Markup) -> None:
    document = json.loads(run.manifest.read_text())
    assert document["digest"] in page.text
    assert "--pinn_dir models/pinn" in page.text
    assert "ab" * 32 in page.text


def test_markdown_and_csv_give_the_figures_of_the_results(
    run: RunPaths, files: ReportFiles
) -> None:
    results = Results.load(run.results)
    rows = list(csv.DictReader(io.StringIO(files.metrics_csv.read_text())))
    found = {
        (row["arm"], row["definition"], row["metric"], row["component"]): float(row["value"])
        for row in rows
    }
    for name, arm in results.arms.items():
        assert found[name, "upstream", "mae", "phase"] == arm.metrics["mae"].phase
        assert found[name, "standard", "complex_error", "value"] == (
            arm.standard["complex_error"].value
        )
        assert (name, "upstream", "frc50", "phase") not in found
    markdown = files.markdown.read_text()
    assert "| PSNR amplitude | **74.80** | 66.80 | 58.80 |" in markdown


def test_an_arm_that_agrees_up_to_nyquist_is_the_best_of_its_row(files: ReportFiles) -> None:
    markdown = files.markdown.read_text()
    assert "| FRC50 amplitude | **0.8000** | 0.7000 | 0.7000 |" in markdown
    assert "| FRC50 phase | **≥ 1** | 0.6000 | 0.6000 |" in markdown


def test_the_report_of_an_unchanged_run_has_the_same_bytes(
    run: RunPaths, files: ReportFiles
) -> None:
    before = [path.read_bytes() for path in vars(files).values()]
    assert [path.read_bytes() for path in vars(report(run.root)).values()] == before


def test_without_ground_truth_arms_are_compared_with_each_other(tmp_path: Path) -> None:
    text = report(finished_run.write(tmp_path / "run", has_truth=False).root).html.read_text()
    page = Markup(text)
    assert not [f for f in page.all("figure") if "error" in f.get("id", "")]
    assert "There is no ground truth" in page.text
    assert "PtychoPINN – Baseline" in page.text
    assert page.all("table", id="table-pairs")
    assert "a small overlap" in page.text
    assert not page.all("td", **{"class": "best"}), "each pair is in a unit of its own"


def test_a_run_that_is_not_finalized_or_damaged_or_foreign_is_refused(tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run")
    text = run.results.read_text()
    run.results.write_text(re.sub('"manifest_digest": "..', '"manifest_digest": "zz', text))
    with pytest.raises(DamageError, match=r"damaged: results\.json"):
        report(run.root)
    checksums.write(run.root, [run.results])
    with pytest.raises(UnfinishedError, match="not of this run"):
        report(run.root)
    run.results.write_text("[]")
    checksums.write(run.root, [run.results])
    with pytest.raises(SchemaError):
        report(run.root)
    run.results.unlink()
    with pytest.raises(UnfinishedError, match="no results yet"):
        report(run.root)
    assert not run.report.exists()


def test_notes_that_change_no_conclusion_are_folded_behind_the_pictures(tmp_path: Path) -> None:
    files = report(finished_run.write(tmp_path / "run", notes=["diff3d is amplitude"]).root)
    before, _, after = files.html.read_text().partition('<h2 id="pictures">')
    assert "the probe was not used" in before and "diff3d is amplitude" not in before
    folded = after[after.index('<details class="fold" id="details">') :]
    assert "diff3d is amplitude" in folded[: folded.index("</details>")]
    text = files.markdown.read_text()
    assert text.index("the probe was not used") < text.index("## Metrics")
    assert text.index("## Notes on these figures") < text.index("diff3d is amplitude")

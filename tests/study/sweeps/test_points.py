"""Which comparisons does a sweep find, and what does it make of them?"""

from __future__ import annotations

import csv
import io
import math
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.errors import UsageError
from ptyrun.results import ArmResult, Interval, Metric, Results
from ptyrun.study.files import HubFiles
from ptyrun.study.sweeps.points import Axis, sweeps_of
from ptyrun.study.sweeps.statistics import Spread, in_range
from ptyrun.study.sweeps.sweep import sweep
from tests.commands import ptyrun

HEAD = "model,metric,amplitude,phase,value\n"
LAYOUTS = ("train_{}", "train_groups_{}", "train_subsample_{}_groups_{}")


def write_table(folder: Path, shift: float = 0.0, *, models: tuple[str, ...] = ()) -> None:
    folder.mkdir(parents=True)
    rows = [HEAD]
    for index, model in enumerate(models or ("PtychoPINN", "Baseline")):
        rows.append(f"{model},mae,{0.1 + index / 100 + shift:.6f},{0.2 + shift:.6f},\n")
        rows.append(f"{model},psnr,{60 + index:.6f},{50 + 10 * shift:.6f},\n")
        rows.append(f"{model},ms_ssim,{0.8 - index / 10 + shift:.6f},{0.25 + 2 * shift:.6f},\n")
        rows.append(f"{model},computation_time_s,,,1.500000\n")
    (folder / "comparison_metrics.csv").write_text("".join(rows))


def write_sizes(root: Path, layout: str = LAYOUTS[0]) -> Path:
    for size in (512, 1024):
        for trial in (1, 2, 3):
            name = layout.format(size, size)
            write_table(root / name / f"trial_{trial}", trial / 50)
    return root


def write_doses(root: Path) -> Path:
    for dose in (1000, 10000):
        for split in ("train", "test", "test_debug_v4"):
            write_table(root / f"analysis/dose_{dose}/dense/{split}", math.log10(dose) / 100)
    (root / "analysis/dose_1000/dense/test/report").mkdir()
    (root / "analysis/dose_1000/dense/test/report/index.html").write_text("x")
    return root


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_three_layouts_of_a_study_of_the_training_size_are_read(
    tmp_path: Path, layout: str
) -> None:
    (found,) = sweeps_of(HubFiles.of(write_sizes(tmp_path, layout)))
    assert (found.axis, found.values, len(found.points)) == (Axis.SIZE, (512, 1024), 6)
    assert {point.case for point in found.points} == {""}


def test_a_size_without_trials_is_its_first_trial(tmp_path: Path) -> None:
    write_table(tmp_path / "train_64")
    (found,) = sweeps_of(HubFiles.of(tmp_path))
    assert [(point.at, point.trial, point.folder) for point in found.points] == [
        (64, 1, "train_64")
    ]


def test_debug_comparisons_are_no_part_of_a_sweep_of_doses(tmp_path: Path) -> None:
    (found,) = sweeps_of(HubFiles.of(write_doses(tmp_path)))
    assert (found.axis, found.values) == (Axis.DOSE, (1000, 10000))
    assert {point.case for point in found.points} == {"dense, train", "dense, test"}


def test_two_folders_of_the_same_size_and_trial_are_refused_by_name(tmp_path: Path) -> None:
    write_table(tmp_path / "train_64/trial_1")
    write_table(tmp_path / "train_groups_64/trial_1")
    with pytest.raises(UsageError, match="train_groups_64/trial_1 and train_64/trial_1"):
        sweeps_of(HubFiles.of(tmp_path))


def test_a_folder_without_comparisons_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "train_x").mkdir()
    said = ptyrun("study", "sweep", "--hub", str(tmp_path))
    assert said.returncode == 2
    assert "train_subsample_M_groups_N" in said.stderr


@pytest.mark.parametrize(
    "text", ["", "model,metric\n", HEAD, HEAD + "a,b,x,1,\n", HEAD + "a,b\n", "\0"]
)
def test_a_table_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "train_1").mkdir()
    (tmp_path / "train_1/comparison_metrics.csv").write_text(text)
    with pytest.raises(UsageError, match=r"train_1/comparison_metrics.csv is not a table"):
        sweep(tmp_path)


def test_trials_that_are_missing_or_without_results_are_named(tmp_path: Path) -> None:
    hub = write_sizes(tmp_path)
    (hub / "train_512/trial_2/comparison_metrics.csv").unlink()
    shutil.rmtree(hub / "train_1024/trial_1")
    (hub / "train_2048").mkdir()
    assert sweep(hub).notes == (
        "train_2048 has no comparison_metrics.csv",
        "train_512/trial_2 has no comparison_metrics.csv",
        "training sizes have different trials (512: 1, 3; 1024: 2, 3)",
    )


def test_a_table_beside_trials_is_named_and_does_not_count(tmp_path: Path) -> None:
    hub = write_sizes(tmp_path)
    shutil.copy(hub / "train_512/trial_1/comparison_metrics.csv", hub / "train_512")
    (note,) = sweep(hub).notes
    assert note == "train_512/comparison_metrics.csv stands beside trials and does not count"
    assert {row["n_trials"] for row in table(hub / "results.csv")} == {"3"}


def test_a_table_that_a_spreadsheet_wrote_is_read(tmp_path: Path) -> None:
    write_table(tmp_path / "one/train_1")
    write_table(tmp_path / "other/train_1")
    path = tmp_path / "other/train_1/comparison_metrics.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    one, other = (sweeps_of(HubFiles.of(tmp_path / name)) for name in ("one", "other"))
    assert one == other


@pytest.mark.parametrize("threshold", [math.nan, -0.1, 1.5, math.inf])
def test_a_threshold_that_no_trial_can_be_held_to_is_refused(
    tmp_path: Path, threshold: float
) -> None:
    with pytest.raises(UsageError, match="invalid threshold"):
        sweep(write_sizes(tmp_path), threshold)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    write_table(tmp_path / "elsewhere/train_1")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub/train_1").symlink_to(tmp_path / "elsewhere/train_1")
    with pytest.raises(UsageError, match="no comparison to follow"):
        sweep(tmp_path / "hub")


@given(st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), max_size=9))
def test_mean_and_spread_are_numpys_of_what_is_a_number(numbers: list[float]) -> None:
    known = [each for each in numbers if each == each]
    found = Spread.of(numbers)
    if not known:
        assert found is None
        return
    assert found is not None
    assert (found.n, found.mean) == (len(known), float(np.mean(known)))
    assert [found.p25, found.p75] == np.percentile(known, [25, 75]).tolist()
    assert found.least <= found.p25 <= found.p75 <= found.most
    assert found.std == pytest.approx(np.std(known, ddof=1) if len(known) > 1 else 0)


@pytest.mark.parametrize(
    ("metric", "number", "is_kept"),
    [
        *[("ssim", 1.01, False), ("ssim", 1.0, True), ("psnr", -0.1, False), ("psnr", 90.0, True)],
        *[("frc1over7", -1.0, True), ("mae", None, False)],
    ],
)
def test_numbers_that_cannot_be_do_not_count(
    metric: str, number: float | None, is_kept: bool
) -> None:
    assert (in_range(metric, number) == number) is is_kept


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_upstreams_tables_have_mean_percentiles_and_how_many_trials_count(tmp_path: Path) -> None:
    sweep(write_sizes(tmp_path))
    rows = table(tmp_path / "results.csv")
    assert [(row["train_size"], row["model_type"], row["n_trials"]) for row in rows] == [
        *[("512", "baseline", "3"), ("512", "pinn", "3")],
        *[("1024", "baseline", "3"), ("1024", "pinn", "3")],
    ]
    assert float(rows[1]["ms_ssim_amp_mean"]) == pytest.approx(0.84)
    assert float(rows[1]["ms_ssim_amp_p25"]) == pytest.approx(0.83)
    assert (rows[1]["computation_time_s_amp_mean"], rows[1]["computation_time_s_amp_n_valid"]) == (
        "",
        "0",
    )
    trials = table(tmp_path / "results_all_trials.csv")
    assert len(trials) == 12
    assert {row["filter_status"] for row in trials} == {"passed"}


def test_trials_below_a_threshold_are_left_out_and_named(tmp_path: Path) -> None:
    write_sizes(tmp_path)
    said = ptyrun("study", "sweep", "--hub", str(tmp_path), "--ms-ssim-phase-threshold", "0.3")
    assert said.returncode == 0
    assert "4 of 12 results of trials lie below the threshold" in said.stderr
    assert {row["n_trials"] for row in table(tmp_path / "results.csv")} == {"2"}
    status = [row["filter_status"] for row in table(tmp_path / "results_all_trials.csv")]
    assert status.count("filtered_low_msssim") == 4


def test_called_again_it_writes_nothing(tmp_path: Path) -> None:
    write_sizes(tmp_path)
    assert sweep(tmp_path).written
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    again = sweep(tmp_path)
    assert not again.written
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.*")}


class Links(HTMLParser):
    """The targets of a page's links, and its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href" and tag == "a"]


def test_every_point_of_the_page_leads_to_its_comparison(tmp_path: Path) -> None:
    sweep(write_doses(tmp_path / "a # b"))
    folder = tmp_path / "a # b/analysis/sweep"
    page = Links((folder / "dose.html").read_text())
    assert not page.tags & {"script", "iframe", "link rel=stylesheet"}
    targets = [unquote(link) for link in page.links if not link.startswith("#")]
    assert all((folder / target).is_file() for target in targets)
    # 2 arms, 3 metrics with 2 components, 2 doses x 2 splits; and three tables.
    assert len(targets) == 2 * 3 * 2 * 4 + 3
    assert targets.count("../dose_1000/dense/test/report/index.html") == 12
    assert "://" not in (folder / "dose.html").read_text()


def test_the_best_is_marked_only_where_others_are_worse(tmp_path: Path) -> None:
    sweep(write_sizes(tmp_path))
    text = (tmp_path / "sweep/train_size.html").read_text()
    mae = text.partition('id="metric-0"')[2].partition('id="metric-1"')[0]
    # PtychoPINN's amplitude at two sizes; the phases are the same for both arms.
    assert mae.count('class="best"') == 2


def test_r_factors_and_intervals_are_followed(tmp_path: Path) -> None:
    arm = ArmResult(
        "PtychoPINN",
        "predictor",
        10,
        standard={"r_factor": Metric(value=0.129)},
        intervals={"r_factor.value": Interval(0.121, 0.139)},
    )
    results = Results("0" * 64, True, (0, 0, 9, 9), {"pinn": arm})
    for dose in (1000, 10000):
        folder = tmp_path / f"analysis/dose_{dose}/dense/test"
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(results.to_json())
        (folder / "comparison_metrics.csv").write_text(
            HEAD + "PtychoPINN,standard_r_factor,,,0.129\nPtychoPINN,registration_offset_dy,,,1.5\n"
        )
    sweep(tmp_path)
    folder = tmp_path / "analysis/sweep"
    rows = table(folder / "dose_points.csv")
    assert [(r["metric"], r["component"], r["number"], r["low"], r["high"]) for r in rows] == [
        ("standard_r_factor", "value", "0.129", "0.121", "0.139")
    ] * 2
    page = (folder / "dose.html").read_text()
    assert "0.129 (0.121 to 0.139)" in page
    assert "between which values" in page
    assert (
        "R-factor & PtychoPINN & dense & test & $0.1290$ & $0.1290$"
        in (folder / "dose.tex").read_text()
    )


def test_a_resolution_that_is_not_reached_up_to_nyquist_is_a_bound(tmp_path: Path) -> None:
    for size, value in ((512, 0.4), (1024, 1.0)):
        write_table(tmp_path / f"train_{size}")
        with (tmp_path / f"train_{size}/comparison_metrics.csv").open("a") as file:
            file.write(f"PtychoPINN,standard_frc50,,{value},\nPtychoPINN,frc50,,{value},\n")
    sweep(tmp_path)
    found = {
        (row["metric"], row["number"]): row["bound"]
        for row in table(tmp_path / "sweep/train_size_points.csv")
        if "frc50" in row["metric"]
    }
    assert found["standard_frc50", "1.0"] == ">="
    assert found["standard_frc50", "0.4"] == found["frc50", "1.0"] == ""
    page = (tmp_path / "sweep/train_size.html").read_text()
    assert page.count("≥ 1") == 2, "beside the point, and in the table"


def test_names_of_models_cannot_become_part_of_the_page(tmp_path: Path) -> None:
    write_table(tmp_path / "train_1", models=("<script>alert(1)</script>", "=1+1"))
    sweep(tmp_path)
    assert "<script" not in (tmp_path / "sweep/train_size.html").read_text()
    assert "=1+1" not in (tmp_path / "sweep/train_size.csv").read_text().replace("'=1+1", "")


def test_the_tables_hold_every_number(tmp_path: Path) -> None:
    sweep(write_sizes(tmp_path))
    (row,) = [
        row
        for row in table(tmp_path / "sweep/train_size.csv")
        if [row[name] for name in ("train_size", "model", "metric", "component")]
        == ["512", "PtychoPINN", "mae", "amplitude"]
    ]
    assert (row["n"], float(row["mean"]), float(row["least"])) == ("3", pytest.approx(0.14), 0.12)
    assert len(table(tmp_path / "sweep/train_size_points.csv")) == 2 * 3 * 2 * 6
    latex = (tmp_path / "sweep/train_size.tex").read_text()
    assert (
        r"MS-SSIM amplitude & PtychoPINN &  &  & $0.8400 \pm 0.0200$ & $0.8400 \pm 0.0200$ \\"
        in (latex)
    )
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 1


def test_upstreams_own_tables_come_out(tmp_path: Path, golden: Path) -> None:
    theirs_at = golden / "study/generalization/readme_layout"
    hub = shutil.copytree(theirs_at, tmp_path / "hub")
    for name in ("results.csv", "results_all_trials.csv"):
        (hub / name).unlink()
    sweep(hub)
    for name in ("results.csv", "results_all_trials.csv"):
        ours, theirs = table(hub / name), table(theirs_at / name)
        assert [*ours[0]] == [*theirs[0]]
        for mine, other in zip(ours, theirs, strict=True):
            for key in set(mine) - {"generated_at"}:
                assert mine[key] == other[key] or float(mine[key]) == pytest.approx(
                    float(other[key]), rel=1e-15
                ), key

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ledgers import run_with_commits
from ptyrun.errors import BlockedError, InputError, UsageError
from ptyrun.study import analysis
from ptyrun.study.checks.verify import verify
from ptyrun.study.summaries.summarize import summarize
from tests.study.upstream_hubs import MODELS, metrics_csv, write_hub

TEST_CSV = "analysis/dose_1000/dense/test/comparison_metrics.csv"


def text_of(hub: Path, name: str) -> str:
    return (hub / name).read_text(encoding="utf-8")


def rows_of(hub: Path, name: str) -> list[dict[str, str]]:
    with (hub / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_mean_is_over_all_comparisons_and_each_split_stands_beside_it(hub: Path) -> None:
    means = json.loads(text_of(hub, analysis.SUMMARY))["aggregate_metrics"]["Baseline"]["ms_ssim"]
    assert means["mean_amplitude"] == pytest.approx((0.81 + 0.811) / 2, abs=1e-15)
    assert means["best_amplitude"] == 0.811
    table = {
        row["split"]: row
        for row in rows_of(hub, analysis.MEAN_TABLE)
        if (row["model"], row["metric"]) == ("Baseline", "ms_ssim")
    }
    assert float(table["train"]["mean_amplitude"]) == 0.81
    assert float(table["test"]["mean_amplitude"]) == 0.811
    assert float(table["all"]["mean_amplitude"]) == means["mean_amplitude"]
    assert table["all"]["n_jobs"] == table["all"]["n_amplitude"] == "2"


def test_differences_are_of_ptychopinn_against_each_other_model(hub: Path) -> None:
    deltas = json.loads(text_of(hub, analysis.DELTAS))["deltas"]
    assert deltas["vs_Baseline"]["ms_ssim"]["amplitude"] == pytest.approx(0.11, abs=1e-12)
    assert deltas["vs_PtyChi"]["mae"]["phase"] == pytest.approx(0.26, abs=1e-12)
    rows = rows_of(hub, analysis.DELTA_TABLE)
    assert {(row["split"], row["against"]) for row in rows} == {
        (split, model) for split in ("train", "test", "all") for model in MODELS[1:]
    }


def test_summing_up_twice_writes_nothing_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = write_hub(tmp_path / "hub")
    first = summarize(hub)
    assert len(first.written) == 15
    later = datetime.now(UTC) + timedelta(minutes=1)  # a fast machine is there in the same second
    monkeypatch.setattr(
        "ptyrun.study.summaries.summarize.now", lambda: later.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    again = summarize(hub)
    assert again.written == ()
    assert set(again.unchanged) == set(first.written)


def test_a_repeated_comparison_changes_what_follows_from_it_alone(hub: Path) -> None:
    (hub / TEST_CSV).write_text(metrics_csv(shift=0.002), encoding="utf-8")
    changed = set(summarize(hub).written)
    assert {analysis.SUMMARY, analysis.REPORT, analysis.MEAN_TABLE} <= changed
    assert not changed & {analysis.INVENTORY, analysis.PARAMETERS}
    assert verify(hub).all_valid


def test_a_missing_model_is_not_available_and_other_labels_have_differences(tmp_path: Path) -> None:
    labels = {"train": ("PtychoPINN", "FNO", "Tike"), "test": ("PtychoPINN", "FNO")}
    hub = write_hub(tmp_path / "hub", labels)
    notes = summarize(hub).notes
    assert "no comparison has Baseline: its differences are N/A" in notes
    assert "Tike has metrics in 1 of 2 comparisons" in notes
    highlights = text_of(hub, analysis.DELTA_HIGHLIGHTS)
    assert "MS-SSIM Δ (PtychoPINN - Baseline)  : amplitude N/A  phase N/A" in highlights
    assert "MS-SSIM Δ (PtychoPINN - FNO)       : amplitude +0.110" in highlights
    assert "MS-SSIM Δ (PtychoPINN - Tike)      : amplitude +0.2" in highlights
    assert "| vs FNO | +0.110 |" in text_of(hub, analysis.REPORT)
    assert json.loads(text_of(hub, analysis.DELTAS))["deltas"]["vs_PtyChi"]["mae"] == {
        "amplitude": None,
        "phase": None,
    }
    assert verify(hub).all_valid


def test_one_number_of_a_pair_counts(tmp_path: Path) -> None:
    """Upstream drops the whole pair."""
    hub = write_hub(tmp_path / "hub")
    table = (hub / TEST_CSV).read_text()
    line = next(each for each in table.splitlines() if each.startswith("PtyChi,ms_ssim"))
    model, metric, amplitude, *_ = line.split(",")
    (hub / TEST_CSV).write_text(table.replace(line, f"{model},{metric},{amplitude},,"))
    summarize(hub)
    summary = json.loads(text_of(hub, analysis.SUMMARY))
    assert {"model": "PtyChi", "metric": "ms_ssim", "amplitude": float(amplitude)} in summary[
        "jobs"
    ][1]["metrics"]
    row = next(
        row
        for row in rows_of(hub, analysis.MEAN_TABLE)
        if (row["split"], row["model"], row["metric"]) == ("all", "PtyChi", "ms_ssim")
    )
    assert (row["n_amplitude"], row["n_phase"]) == ("2", "1")
    assert verify(hub).all_valid


def test_the_threshold_is_remembered_and_can_be_overridden(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub")
    summarize(hub, 0.95)
    assert "_Threshold: mean amplitude/phase ≥ 0.95_" in text_of(hub, analysis.REPORT)
    assert "LOW (amp)" in text_of(hub, analysis.REPORT)
    assert verify(hub).all_valid
    assert summarize(hub).written == ()
    failed = [each.name for each in verify(hub, ms_ssim_threshold=0.5).validations if each.faults]
    assert failed == ["aggregate_highlights", "metrics_digest"]


@pytest.mark.parametrize("threshold", [float("nan"), 1.5, -2.0])
def test_a_threshold_that_is_none_is_refused(tmp_path: Path, threshold: float) -> None:
    with pytest.raises(UsageError, match="threshold"):
        summarize(write_hub(tmp_path / "hub"), threshold)


def test_debug_comparisons_are_left_out(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub")
    debug = hub / "analysis/dose_1000/dense/train_debug_320"
    debug.mkdir()
    (debug / "comparison_metrics.csv").write_text(metrics_csv(), encoding="utf-8")
    summarize(hub)
    assert "debug" not in text_of(hub, analysis.JOB_TABLE)
    assert verify(hub).all_valid


def test_latex_is_well_formed_and_escaped(tmp_path: Path) -> None:
    labels = dict.fromkeys(("train", "test"), ("PtychoPINN", "my_net & 100%"))
    hub = write_hub(tmp_path / "hub", labels)
    summarize(hub)
    table = text_of(hub, analysis.LATEX_TABLE)
    assert r"1000 & dense & train & 1 & my\_net \& 100\% & $0.8100$ & $0.8200$" in table
    rows = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in rows[1:]} == {8}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first line"),
        ("a,b\n", "first line"),
        ("model,metric,amplitude,phase,value\nPtyChi,mae,0.1\n", "line 2 has 3 cells"),
        ("model,metric,amplitude,phase,value\nPtyChi,mae,x,0.1,\n", "line 2"),
        ("model,metric,amplitude,phase,value\nP,mae,1,1,\nP,mae,1,1,\n", "twice"),
        ("model,metric,amplitude,phase,value\na|b,mae,1,1,\n", "not a name"),
        ('model,metric,amplitude,phase,value\n"P\n",mae,1,1,\n', "not a name"),
        ('model,metric,amplitude,phase,value\n"P,mae,1,1,\n', "line"),
    ],
)
def test_a_table_that_is_none_is_named(tmp_path: Path, text: str, said: str) -> None:
    hub = write_hub(tmp_path / "hub")
    (hub / TEST_CSV).write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        summarize(hub)
    assert TEST_CSV in str(caught.value)


def test_a_comparison_that_failed_blocks(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub", codes={"test": 3})
    with pytest.raises(BlockedError, match=r"dense/test at dose 1000: return code 3"):
        summarize(hub)
    assert not (hub / analysis.SUMMARY).exists()


def test_a_broken_memory_is_written_again_and_said(hub: Path) -> None:
    (hub / analysis.PARAMETERS).write_text("{}")
    assert [each.name for each in verify(hub).validations if each.faults] == ["inventory"]
    outcome = summarize(hub)
    assert outcome.written == (analysis.PARAMETERS,)
    assert any(analysis.PARAMETERS in note for note in outcome.notes)
    assert verify(hub).all_valid


def test_an_altered_number_of_a_data_file_is_found(hub: Path) -> None:
    path = hub / "data/phase_f/dose_1000/dense/test/ptychi_reconstruction.npz"
    data = bytearray(path.read_bytes())
    data[data.index(np.ones(8, "c8").tobytes())] ^= 1
    path.write_bytes(data)
    assert [each.name for each in verify(hub).validations if each.faults] == ["inventory"]


def with_another_dose(hub: Path) -> None:
    """The same comparisons at 500 photons, with the tables of the other split."""
    manifest = json.loads(text_of(hub, analysis.MANIFEST))
    for name in ("jobs", "execution_results"):
        again = json.loads(json.dumps(manifest[name]).replace("1000", "500"))
        manifest[name] += again
    manifest["n_jobs"] = manifest["n_success"] = 4
    (hub / analysis.MANIFEST).write_text(json.dumps(manifest))
    (hub / analysis.MANIFEST_TEXT).unlink()
    for name in ("analysis", "data/phase_c", "data/phase_e"):
        shutil.copytree(hub / name / "dose_1000", hub / name / "dose_500")
    for log in hub.glob("analysis/dose_500/*/*/comparison.log"):
        log.write_text(log.read_text().replace("dose_1000", "dose_500"))
    for stage in ("e_baseline_gs1", "e_dense_gs2"):
        (hub / f"cli/phase_{stage}_dose500.log").write_text("complete\n")


def test_several_doses_stand_one_by_one_and_together(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub")
    with_another_dose(hub)
    (hub / "analysis/dose_500/dense/train/comparison_metrics.csv").write_text(
        metrics_csv(shift=0.02), encoding="utf-8"
    )
    summarize(hub)
    assert verify(hub).all_valid, verify(hub).to_json()
    means = {
        (row["dose"], row["view"], row["split"]): (float(row["mean_phase"]), row["n_jobs"])
        for row in rows_of(hub, analysis.MEAN_TABLE)
        if (row["model"], row["metric"]) == ("PtychoPINN", "mae")
    }
    assert list(means) == [
        *(("500", "dense", split) for split in ("test", "train", "all")),
        *(("1000", "dense", split) for split in ("test", "train", "all")),
        *(("all", "all", split) for split in ("test", "train", "all")),
    ]
    assert means["all", "all", "train"] == (pytest.approx(0.11), "2")
    assert means["all", "all", "all"] == (pytest.approx(0.1055), "4")
    # Upstream sorts doses as texts.
    compliance = json.loads(text_of(hub, analysis.SUMMARY))["phase_c_metadata_compliance"]
    assert list(compliance) == ["dose_1000", "dose_500"]


def test_a_run_of_ptyruns_in_the_hub_may_be_worked_on(hub: Path, tmp_path: Path) -> None:
    """Its claims and cache come and go; its arrays do not."""
    run_with_commits(tmp_path / "run", 20, with_files=True)
    run = hub / "analysis/dose_1000/dense/train"
    shutil.copytree(tmp_path / "run", run, dirs_exist_ok=True)
    summarize(hub)
    for name in ("claims/pinn.lock", "cache/digests.json"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).touch()
    assert verify(hub).all_valid
    assert "claims" not in text_of(hub, analysis.INVENTORY)
    next((run / "arrays.zarr").rglob("zarr.json")).unlink()
    assert [each.name for each in verify(hub).validations if each.faults] == ["inventory"]

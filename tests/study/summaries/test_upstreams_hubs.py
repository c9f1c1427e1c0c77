"""Do the summaries of upstream's hubs come out byte for byte, and where not, why?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptyrun.errors import BlockedError
from ptyrun.study import analysis
from ptyrun.study.checks.verify import verify
from ptyrun.study.summaries.summarize import summarize

SUMMARIES = (
    *(analysis.SUMMARY, analysis.SUMMARY_TEXT, analysis.REPORT, analysis.HIGHLIGHTS),
    *(analysis.DIGEST, analysis.DELTAS, analysis.DELTA_HIGHLIGHTS, analysis.PREVIEW, analysis.GRID),
)
OWN = (
    *(analysis.PARAMETERS, analysis.JOB_TABLE, analysis.MEAN_TABLE, analysis.DELTA_TABLE),
    analysis.LATEX_TABLE,
)
# The files of upstream's that differ, and in what: lines of theirs, and of ours in their place.
DEFECTS: dict[str, dict[str, list[tuple[str, str]]]] = {
    # NaN is not above the threshold.
    "s09_literal_nan_inf": {
        analysis.REPORT: [
            ("| PtychoPINN | 0.900 | nan | OK |", "| PtychoPINN | 0.900 | nan | LOW (phase) |")
        ]
    },
    # A third arm that is not called PtyChi has differences.
    "s10_old_labels": {
        analysis.DELTAS: [
            ('"amplitude": null,', '"amplitude": -0.026542999999999983,'),
            ('"phase": null', '"phase": -0.00876599999999994'),
        ],
        analysis.DELTA_HIGHLIGHTS: [
            (
                "MS-SSIM Δ (PtychoPINN - PtyChi)    : amplitude N/A  phase N/A",
                "MS-SSIM Δ (PtychoPINN - PtyChi)    : amplitude -0.027  phase -0.009",
            )
        ],
        analysis.PREVIEW: [
            ("MS-SSIM Δ (PtychoPINN - PtyChi): N/A", "MS-SSIM Δ (PtychoPINN - PtyChi): -0.009"),
            ("MAE Δ (PtychoPINN - PtyChi): N/A", "MAE Δ (PtychoPINN - PtyChi): +0.038346"),
        ],
        analysis.GRID: [
            ("| vs_PtyChi   | N/A |", "| vs_PtyChi   | -0.009 |"),
            ("| vs_PtyChi   | N/A |", "| vs_PtyChi   | +0.038346 |"),
        ],
        analysis.DIGEST: [
            (
                "**Note:** Cannot compute deltas - missing required models "
                "(PtychoPINN, Baseline, or PtyChi)",
                "| PtychoPINN - PtyChi | -0.027 | -0.009 |",
            )
        ],
    },
    "s11_tike_arm": {
        analysis.DELTAS: [("", '    "vs_Tike": {')],
        analysis.DELTA_HIGHLIGHTS: [
            (
                "MS-SSIM Δ (PtychoPINN - PtyChi)    : amplitude N/A  phase N/A",
                "MS-SSIM Δ (PtychoPINN - Tike)      : amplitude -0.027  phase -0.009",
            )
        ],
        analysis.PREVIEW: [
            ("MS-SSIM Δ (PtychoPINN - PtyChi): N/A", "MS-SSIM Δ (PtychoPINN - Tike): -0.009")
        ],
        analysis.GRID: [("| vs_PtyChi   | N/A |", "| vs_Tike     | -0.009 |")],
    },
    # What is not an archive is not tried as a pickle.
    "s15_phase_c_corrupt": {
        analysis.SUMMARY: [
            (
                "patched_train.npz' as a pickle",
                '        "error": "it is too short for an archive"',
            )
        ],
        analysis.SUMMARY_TEXT: [
            ("", "(it is too short for an archive) |"),
        ],
    },
}
# Upstream's report stops where a model is missing, and leaves three files out.
STOPS = {"s05_ptychi_missing_everywhere", "s06_baseline_missing_everywhere", "s11_tike_arm"}


def hubs(golden: Path) -> Iterator[Path]:
    for path in sorted((golden / "study" / "summaries").glob("s*/hub")):
        if "failed" not in path.parent.name:
            yield path


def bare_copy(hub: Path, copy: Path) -> Path:
    """The hub without what upstream made of its comparisons."""
    shutil.copytree(hub, copy)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755)
    for name in (*SUMMARIES, analysis.INVENTORY):
        (copy / name).unlink(missing_ok=True)
    return copy


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def with_stamp(theirs: str, ours: str) -> str:
    """Upstream's text with the time at which ours was made."""
    return theirs.replace(json.loads(theirs)["generated_at"], json.loads(ours)["generated_at"])


def test_the_summaries_of_upstreams_hubs_come_out_again(golden: Path, tmp_path: Path) -> None:
    n_equal = 0
    for hub in hubs(golden):
        name = hub.parent.name
        ours = bare_copy(hub, tmp_path / name)
        summarize(ours)
        differing = set()
        for each in SUMMARIES:
            if not (hub / each).exists():
                assert name in STOPS, (name, each)
                assert "N/A" in text_of(ours / each) or name == "s11_tike_arm"
                continue
            theirs, found = text_of(hub / each), text_of(ours / each)
            if each == analysis.DELTAS:
                theirs = with_stamp(theirs, found)
            if theirs == found:
                n_equal += 1
                continue
            differing.add(each)
            for line, other in DEFECTS[name][each]:
                assert line in theirs, (name, each, line)
                assert other in found, (name, each, other)
                assert line == "" or line not in found or each == analysis.DELTAS, (name, line)
        assert differing == set(DEFECTS.get(name, {})), name
    assert n_equal > 100


def test_the_inventory_is_upstreams_of_its_second_call(golden: Path, tmp_path: Path) -> None:
    """Theirs grows by itself when it is made again; ours lists itself from the beginning."""
    for hub in hubs(golden):
        first = (hub.parent / "inventory_first_run.txt").read_text().splitlines()
        assert analysis.INVENTORY not in first
        ours = bare_copy(hub, tmp_path / hub.parent.name)
        summarize(ours)
        listed = text_of(ours / analysis.INVENTORY).splitlines()
        made_by_us = {*OWN, *(SUMMARIES if hub.parent.name in STOPS else ())}
        # Two files of upstream's are not beside the others.
        theirs = {line for line in first if (ours / line).exists()} | {analysis.INVENTORY}
        reported = {"analysis/verification_report.json"}  # made before the second inventory
        assert set(listed) - reported == (theirs - reported) | made_by_us
        assert listed == sorted(listed)


def test_a_hub_that_was_summed_up_passes_the_checks_of_its_summaries(
    golden: Path, tmp_path: Path
) -> None:
    """Without logs of its stages, and where data is not canonical, it fails those checks alone."""
    for hub in hubs(golden):
        name = hub.parent.name
        ours = bare_copy(hub, tmp_path / name)
        summarize(ours)
        failed = {each.name for each in verify(ours).validations if not each.valid}
        expected = {"stage_logs"}
        if name.startswith(("s14", "s15")):
            expected.add("phase_c_metadata")
        if name.startswith("s15_phase_c_corrupt"):
            failed.discard("inventory")
        if name.startswith("s16"):  # its manifest lost the train split
            expected.add("comparison_manifest")
        assert failed == expected, name


def test_upstreams_own_summaries_pass_the_checks(golden: Path) -> None:
    """Those with a label of old, too: what upstream leaves out for it, it leaves out everywhere."""
    about = {"metrics_summary", "metrics_summary_markdown", "delta_summary", "delta_highlights"}
    for hub in hubs(golden):
        failed = {each.name for each in verify(hub).validations if not each.valid}
        assert not failed & about, hub.parent.name


def test_a_split_that_the_manifest_lost_is_in_our_tables(golden: Path, tmp_path: Path) -> None:
    """One call per split overwrites the manifest: upstream's summary knows the last split alone."""
    hub = golden / "study" / "summaries" / "s16_orchestrator_way_per_split" / "hub"
    ours = bare_copy(hub, tmp_path / "hub")
    outcome = summarize(ours)
    assert [
        note for note in outcome.notes if "dense/train" in note and "not in the manifest" in note
    ]
    assert json.loads(text_of(ours / analysis.SUMMARY))["n_jobs"] == 1
    table = text_of(ours / analysis.JOB_TABLE)
    assert "1000,dense,test,yes,PtychoPINN,mae" in table
    assert "1000,dense,train,no,PtychoPINN,mae" in table
    assert "1000,dense,all,2,PtychoPINN,ms_ssim" in text_of(ours / analysis.MEAN_TABLE)


def test_a_failed_comparison_is_named_and_nothing_is_written(golden: Path, tmp_path: Path) -> None:
    hub = golden / "study" / "summaries" / "s12_one_job_failed" / "hub"
    ours = bare_copy(hub, tmp_path / "hub")
    before = sorted(ours.rglob("*"))
    with pytest.raises(BlockedError, match="1 of 2 comparisons failed") as caught:
        summarize(ours)
    assert "dense/test at dose 1000: return code 3" in str(caught.value)
    assert sorted(ours.rglob("*")) == before

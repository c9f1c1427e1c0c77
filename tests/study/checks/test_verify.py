from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ptyrun.study.checks.verify import CHECKS, verify
from tests.study.checks.tamperings import Tampering, all_tamperings, more_tamperings


@pytest.fixture(scope="module")
def upstreams_hub(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub that upstream finds without fault, with the two models that are not beside it."""
    hub = tmp_path_factory.mktemp("upstream") / "hub"
    shutil.copytree(golden / "study" / "verification" / "hub", hub)
    for path in [hub, *hub.rglob("*")]:
        path.chmod(0o755)
    for name in ("baseline/gs1", "dense/gs2"):
        model = hub / "data/phase_e/dose_1000" / name / "wts.h5.zip"
        model.parent.mkdir(parents=True)
        model.write_text("x", encoding="utf-8")
    return hub


def failed(hub: Path) -> set[str]:
    verdict = verify(hub)
    assert len(verdict.validations) == 10
    assert [each.name for each in verdict.validations] == [each.name for each in CHECKS]
    return {each.name for each in verdict.validations if not each.valid}


def tampered(hub: Path, copy: Path, tampering: Tampering) -> set[str]:
    shutil.copytree(hub, copy)
    tampering.apply(copy / tampering.artifact.replace("new file in hub", "analysis/new.txt"))
    return failed(copy)


def state(hub: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(hub)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in hub.rglob("*")
        if path.is_file()
    }


def test_a_good_hub_passes_ten_checks_and_is_not_changed(good_hub: Path) -> None:
    before = state(good_hub)
    assert failed(good_hub) == set()
    assert state(good_hub) == before


@pytest.mark.parametrize("tampering", [*all_tamperings(), *more_tamperings()], ids=str)
def test_every_change_is_found_by_the_check_that_is_about_it(
    good_hub: Path, tmp_path: Path, tampering: Tampering
) -> None:
    found = tampered(good_hub, tmp_path / "hub", tampering)
    assert tampering.owner in found
    assert found <= {tampering.owner} | tampering.also


def test_upstreams_hub_passes_ten_checks_and_is_not_changed(upstreams_hub: Path) -> None:
    before = state(upstreams_hub)
    assert failed(upstreams_hub) == set()
    assert state(upstreams_hub) == before


def test_every_change_to_upstreams_hub_is_found(
    golden: Path, upstreams_hub: Path, tmp_path: Path
) -> None:
    """Upstream's own checks find only some of the 94."""
    table = json.loads((golden / "study/verification/tamper_table.json").read_text())["rows"]
    ours = {(each.artifact, each.change): each for each in all_tamperings()}
    assert {(row["artifact"], row["change"]) for row in table} == set(ours)
    assert len(table) == len(ours) == 94
    missed_by_upstream = 0
    for number, row in enumerate(table):
        tampering = ours[row["artifact"], row["change"]]
        found = tampered(upstreams_hub, tmp_path / str(number), tampering)
        assert tampering.owner in found, str(tampering)
        assert found <= {tampering.owner} | tampering.also, str(tampering)
        missed_by_upstream += not row["detected_by_any"]
    assert missed_by_upstream > 30


def test_each_check_has_a_name_of_ours_and_upstreams_description(
    golden: Path, upstreams_hub: Path
) -> None:
    report = golden / "study/verification/verification_report_untouched.json"
    theirs = json.loads(report.read_text())
    ours = json.loads(verify(upstreams_hub).to_json())
    described = [each["description"] for each in theirs["validations"]]
    assert [each["description"] for each in ours["validations"]] == described
    assert [key for key in ours if key in theirs] == list(theirs)
    assert len({each["name"] for each in ours["validations"]}) == 10
    assert all(Path(each["path"]).is_absolute() for each in ours["validations"])


def test_the_digest_of_upstreams_last_version_passes_as_well(hub: Path) -> None:
    """It repeats the table of the report; a number of it that is altered is found."""
    report = (hub / "analysis/aggregate_report.md").read_text(encoding="utf-8")
    table = [line for line in report.splitlines() if line.endswith(("Status |", "OK |", ") |"))]
    assert len(table) == 4
    digest = hub / "analysis/metrics_digest.md"
    section = "## MS-SSIM Sanity Check\n\n" + "\n".join(table) + "\n\n## Highlights"
    longer = digest.read_text(encoding="utf-8").replace("## Highlights", section)
    digest.write_text(longer, encoding="utf-8")
    assert failed(hub) == set()
    for before, after in (("| 0.9", "| 0.8"), ("Sanity", "Other"), ("- Failed: 0", "- Failed: 1")):
        assert before in longer
        digest.write_text(longer.replace(before, after, 1), encoding="utf-8")
        assert failed(hub) == {"metrics_digest"}


def test_results_that_come_later_must_be_listed_unless_others_are_asked_for(hub: Path) -> None:
    later = hub / "analysis/dose_2000/dense/train"
    shutil.copytree(hub / "analysis/dose_1000/dense/train", later)
    faults = {each.name: each.error for each in verify(hub).validations}
    assert (
        "dense/train at dose 2000 is not listed, but has results" in faults["comparison_manifest"]
    )
    asked = {each.name: each.error for each in verify(hub, doses=(1000,)).validations}
    assert not asked["comparison_manifest"]


@pytest.mark.parametrize("folder", ["ledger", "logs", "preview"])
def test_a_look_at_a_comparison_may_leave_its_notes_and_takes_none(folder: str, hub: Path) -> None:
    note = hub / "analysis/dose_1000/dense/train" / folder / "later.jsonl"
    note.parent.mkdir()
    note.write_text("{}\n", encoding="utf-8")
    assert failed(hub) == set()
    listed = hub / "analysis/artifact_inventory.txt"
    name = note.relative_to(hub).as_posix()
    lines = sorted([*listed.read_text(encoding="utf-8").splitlines(), name])
    listed.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert failed(hub) == set()
    note.unlink()
    assert failed(hub) == {"inventory"}

"""How far a run is, for people and for machines."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ptyrun.cli.status import as_text
from ptyrun.comparison.gates import write_blocker
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.opening import opened_session
from ptyrun.engine.records import Closed, Failed, Started
from ptyrun.engine.session_ledger import begin
from ptyrun.engine.window import Window
from ptyrun.errors import BlockedError, ExitCode, StorageError
from ptyrun.host.locks import Lock
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from ptyrun.stages import run
from ptyrun.stages.status import RunState, status
from ptyrun.stages.verify import verify
from tests.studies import TRUST, TRUSTED, Study, ptyrun

DOCS = Path(__file__).resolve().parents[2] / "docs" / "format.md"
KINDS: dict[str, type | tuple[type, ...]] = {
    "integer": int,
    "string": str,
    "boolean": bool,
    "number": (int, float),
    "null": type(None),
    "object": dict,
    "array": list,
    "array of strings": list,
}


def documented(after: str) -> dict[str, list[str]]:
    """Fields and their types as the first table below a line of the format's document has them."""
    section = DOCS.read_text(encoding="utf-8").split(f"\n{after}", 1)[1]
    table = section[section.index("\n|") :].split("\n\n", 1)[0]
    fields: dict[str, list[str]] = {}
    for names, types in re.findall(r"^\| (`.*?) \| (.*?) \|", table, re.M):
        found = re.findall(r"`(\w+)`", names)
        kinds = types.split(", ") if "," in types else [types] * len(found)
        fields |= {name: kind.split(" or ") for name, kind in zip(found, kinds, strict=True)}
    return fields


def assert_as_documented(document: dict[str, Any], after: str) -> None:
    fields = documented(after)
    for name, value in document.items():
        assert name in fields, f"{name} is not documented"
        kinds = [KINDS[kind] for kind in fields[name]]
        assert any(isinstance(value, kind) for kind in kinds), (name, value)
        assert not isinstance(value, bool) or fields[name] == ["boolean"], name


def fail(run_dir: Path, chunk: int, times: int) -> None:
    """Let a chunk of the Baseline fail in a window of its own."""
    paths = RunPaths(run_dir)
    ledger = open_ledger(paths, Manifest.load(paths.manifest))
    session = begin(ledger, 20.0, Process("far-away", "boot", 1, 1.0), "0.1.0")
    for attempt in range(1, times + 1):
        session.append([Started("baseline", chunk, 0, 1.0)])
        session.append([Failed("baseline", chunk, attempt, "ValueError: no", "Traceback …", 2.0)])
    session.close(Closed(1, "chunks were set aside", 0, 3.0))


@pytest.fixture
def troubled(half_run: Path) -> Path:
    fail(half_run, chunk=1, times=3)
    return half_run


def test_every_field_is_documented_with_its_type(troubled: Path, complete_run: Path) -> None:
    for run_dir in (troubled, complete_run):
        document = json.loads(ptyrun("status", str(run_dir), "--json").stdout)
        assert_as_documented(document, "## `status --json`")
        for arm in document["arms"].values():
            assert_as_documented(arm, "One of `arms`")
        for trouble in document["troubles"]:
            assert_as_documented(trouble, "One of `troubles`")
    assert {"schema", "arms", "troubles", "eta_s"} <= set(documented("## `status --json`"))


def test_every_documented_field_is_there(troubled: Path) -> None:
    document = json.loads(ptyrun("status", str(troubled), "--json").stdout)
    assert list(documented("## `status --json`").keys() - document.keys()) == []
    assert list(documented("One of `arms`").keys() - document["arms"]["pinn"].keys()) == []
    assert list(documented("One of `troubles`").keys() - document["troubles"][0].keys()) == []


def test_the_figures_are_those_of_the_run(troubled: Path) -> None:
    document = json.loads(status(troubled).to_json())
    assert document["schema"] == 1
    assert document["state"] == "failed"
    assert (document["chunks_committed"], document["windows"]) == (4, 2)
    assert document["groups_committed"] == 28
    assert document["arms"]["pinn"]["groups_committed"] == 28
    assert document["arms"]["pinn"]["groups_per_s"] > 0
    assert document["arms"]["baseline"]["groups_per_s"] is None
    assert document["arms"]["baseline"]["failed"] == 1
    assert document["arms"]["reconstruction"]["groups_total"] == 0
    assert document["why_failed"] == "chunks were set aside"
    (trouble,) = document["troubles"]
    assert (trouble["arm"], trouble["chunk"], trouble["set_aside"]) == ("baseline", 1, True)
    assert (trouble["error"], trouble["traceback"]) == ("ValueError: no", "Traceback …")
    assert (document["eta_s"], document["windows_left"], document["finalized"]) == (
        None,
        None,
        False,
    )


def test_a_complete_run_is_finalized_and_has_nothing_left(complete_run: Path) -> None:
    found = status(complete_run)
    assert (found.state, found.finalized, found.eta_s) == (RunState.COMPLETE, True, 0.0)
    assert found.troubles == found.blockers == ()
    assert found.why_failed == ""


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_a_line_for_each_arm_fits_the_terminal(half_run: Path, columns: int) -> None:
    lines = as_text(status(half_run), Path("run"), columns).splitlines()
    assert lines[0].startswith("run: incomplete, 1 window so far")
    assert [line.split()[0] for line in lines[1:4]] == ["pinn", "baseline", "reconstruction"]
    assert lines[4:] == ["  time left: not known, since nothing of baseline was computed yet"]
    assert max(map(len, lines)) <= columns
    assert "█" in lines[1] and "28/" in lines[1]


def test_one_of_a_kind_stands_in_the_singular(half_run: Path) -> None:
    found = status(half_run)
    one = replace(found.arms["pinn"], groups_total=1, chunks_total=1, chunks_committed=0)
    said = as_text(replace(found, arms={"pinn": one}), half_run, 100)
    assert "/1 group, 0/1 chunk, " in said


def test_a_background_session_that_still_loads_comes_before_what_earlier_windows_lacked(
    half_run: Path,
) -> None:
    paths = RunPaths(half_run)
    manifest = Manifest.load(paths.manifest)
    session = begin(open_ledger(paths, manifest), 5.0, Process.current(), "0")
    session.close(Closed(int(ExitCode.INCOMPLETE), "too short", 0, 5.0, enough_s=7.0))
    said = as_text(status(half_run), half_run, 100)
    assert "the last window made no progress" in said and "next: --window 7s or more" in said
    with Lock(paths.process_lock) as lock:
        assert lock.try_acquire()
        found = status(half_run)
    assert found.state is RunState.RUNNING
    said = as_text(found, half_run, 100)
    assert "no progress" not in said and "next:" not in said


def test_of_finished_reconstructions_no_windows_are_counted(half_run: Path) -> None:
    found = status(half_run)
    only = {"reconstruction": found.arms["reconstruction"]}
    done = replace(found, arms=only, state=RunState.COMPLETE, chunks_total=0, chunks_committed=0)
    assert "window" not in as_text(done, half_run, 100)


def test_a_chunk_that_failed_is_named_with_its_traceback(troubled: Path) -> None:
    said = ptyrun("status", str(troubled)).stdout
    assert "chunk 1 of baseline failed 3 times, quarantined: ValueError: no" in said
    assert "    Traceback …" in said


def test_a_blocker_is_named_while_it_stands_and_not_when_the_run_went_past_it(
    half_run: Path,
) -> None:
    error = BlockedError("empty-patches: nothing", why="mean=0", do="look at the model")
    blocker = write_blocker(half_run / "blocked", error, ["ptyrun"], "ptyrun run")
    found = status(half_run)
    assert (found.state, found.blockers) == (RunState.BLOCKED, (blocker.name,))
    assert f"blocked: {blocker}" in as_text(found, half_run, 100)
    blocker.rename(blocker.with_name("20200101T000000Z-empty-patches.md"))
    found = status(half_run)
    assert (found.state, found.blockers) == (RunState.INCOMPLETE, ())
    assert "blocked" not in as_text(found, half_run, 100)


def test_results_that_came_after_a_blocker_went_past_it(complete_run: Path, tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(complete_run, tmp_path / "run"))
    error = BlockedError("coverage-hole: a hole", why="mean=0", do="look at the model")
    write_blocker(run_dir / "blocked", error, ["ptyrun"], "ptyrun finalize")
    assert (status(run_dir).state, status(run_dir).blockers) == (RunState.COMPLETE, ())


def test_neither_a_repair_nor_a_call_with_nothing_to_compute_is_a_window(troubled: Path) -> None:
    assert status(troubled).windows == 2
    assert verify(troubled, repair=True).damages == ()
    assert status(troubled).windows == 2
    for _ in range(3):
        run.run(troubled, TRUSTED)
    assert status(troubled).windows == 3


def test_what_cannot_be_told_of_the_work_left_is_said_with_its_reason(half_run: Path) -> None:
    assert status(half_run).why_unknown == "nothing of baseline was computed yet"
    run.run(half_run, replace(TRUSTED, arms=("baseline",), max_chunks=1))
    found = status(half_run)
    assert (found.eta_s is not None, found.windows_left) == (True, None)
    assert found.why_unknown == "the latest session had no --window"
    said = as_text(found, half_run, 100)
    assert "of work left" in said
    assert "  windows left: not known, since the latest session had no --window" in said
    run.run(half_run, replace(TRUSTED, max_chunks=1, window_s=3600.0))
    found = status(half_run)
    assert (found.why_unknown, found.windows_left) == (None, 1)
    run.run(half_run, TRUSTED)
    assert (status(half_run).why_unknown, status(half_run).windows_left) == (None, 0)


def test_plan_says_what_is_left_to_compute_or_why_that_is_not_known(
    study: Study, half_run: Path
) -> None:
    words = ["plan", *study.words(half_run)[1:]]
    said = ptyrun(*words).stdout.splitlines()
    assert said[-1] == "time left: not known, since nothing of baseline was computed yet"
    run.run(half_run, replace(TRUSTED, arms=("baseline",), max_chunks=1, window_s=3600.0))
    said = ptyrun(*words).stdout.splitlines()
    assert re.fullmatch(r"left to compute: about .* m?s, 1 window like the latest", said[-1])
    assert ptyrun(*words, "--dry-run").stdout.splitlines() == said
    assert "was computed yet" in ptyrun(*words, "--dry-run", "--new").stdout
    run.run(half_run, TRUSTED)
    assert ptyrun(*words).stdout.splitlines()[-1].startswith("manifest ")


def test_watching_follows_a_run_until_its_report_is_there(half_run: Path) -> None:
    words = [sys.executable, "-m", "ptyrun", "status", str(half_run), "--watch", "--json"]
    watcher = subprocess.Popen([*words, "--every", "200ms"], stdout=subprocess.PIPE, text=True)
    assert watcher.stdout is not None
    first = json.loads(watcher.stdout.readline())
    assert (first["state"], first["chunks_committed"]) == ("incomplete", 4)
    for words in (["run", *TRUST], ["finalize"], ["report"]):
        assert watcher.poll() is None, "the report is not there yet"
        assert ptyrun(words[0], str(half_run), *words[1:]).returncode == 0
    rest = [json.loads(line) for line in watcher.communicate(timeout=300)[0].splitlines()]
    assert watcher.returncode == 0
    counts = [document["chunks_committed"] for document in rest]
    assert counts == sorted(counts)
    assert rest[-1]["state"] == "complete"
    assert (rest[-1]["finalized"], rest[-1]["reported"]) == (True, True)
    assert not any(document["reported"] for document in rest[:-1])


def test_a_session_that_failed_without_a_chunk_says_what_ended_it_and_why(half_run: Path) -> None:
    paths = RunPaths(half_run)
    with pytest.raises(StorageError), opened_session(paths, Window(20.0)):
        raise StorageError("cannot write chunk 5", why="the disk is full", do="make room")
    said = "StorageError: cannot write chunk 5: the disk is full"
    assert json.loads(ptyrun("status", str(half_run), "--json").stdout)["why_failed"] == said
    assert f"  the latest window failed: {said}\n" in ptyrun("status", str(half_run)).stdout

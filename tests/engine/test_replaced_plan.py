"""Whatever else happens to a run whose plan is replaced, the new plan can be completed.

A session of the old plan may be starting, working, stopped or gone at that moment; a plan may be
replaced in place (`--invalidate`) or its whole folder set aside (`--new`).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ptyrun.engine import ledger, opening, presence
from ptyrun.engine.integrity import verify
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.opening import opened_session
from ptyrun.engine.patience import fruitless
from ptyrun.engine.plan_lock import CurrentPlan, PlanLock
from ptyrun.engine.records import Committed, Failed, Forgotten, Opened, Started
from ptyrun.engine.repair import repair
from ptyrun.engine.session_ledger import SessionLedger, begin
from ptyrun.engine.store import create_arrays
from ptyrun.engine.window import Window
from ptyrun.errors import BusyError, ExitCode, IdentityError, InputError, ReplacedError
from ptyrun.host import durable
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT
from tests.engine.children import spawn, work
from tests.engine.toys import ToyWork, decoded, expected, planned, run, toy_manifest, toy_run

OLD = toy_manifest(64, 8, {"one": 1.0, "two": 3.0})
NEW = toy_manifest(64, 8, {"one": 2.0, "two": 3.0})


def invalidate(folder: Path, new: Manifest = NEW) -> None:
    """What ``plan --invalidate one`` does once nobody is at work."""
    paths = RunPaths(folder)
    ledger.supersede(paths, Manifest.load(paths.manifest))
    create_arrays(paths, new, replace=True)
    new.save(paths.manifest)


def begin_anew(folder: Path, new: Manifest = NEW) -> None:
    """What ``plan --new`` does once nobody is at work."""
    durable.publish(folder, folder.with_name(f"aside-{time.monotonic_ns()}"))
    folder.mkdir(exist_ok=True)
    planned(folder, new)


REPLACEMENTS = pytest.mark.parametrize("replace_plan", [invalidate, begin_anew])
Replace = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    planned(run_dir, OLD)
    return run_dir


def insist_that_it_completes(folder: Path, new: Manifest = NEW) -> None:
    assert toy_run(folder).stop is ExitCode.COMPLETE
    assert decoded(folder) == expected(new)
    assert verify(RunPaths(folder)) == []


@REPLACEMENTS
def test_a_session_that_starts_too_late_writes_nothing(folder: Path, replace_plan: Replace) -> None:
    replace_plan(folder)
    before = set(folder.rglob("*"))
    with pytest.raises(ReplacedError, match="replaced"):
        run(RunPaths(folder), OLD, ToyWork, window=Window())
    assert set(folder.rglob("*")) == before
    insist_that_it_completes(folder)


@REPLACEMENTS
@pytest.mark.parametrize("replaced_in", range(0, 64, 8))
def test_a_session_whose_plan_goes_commits_nothing_more(
    folder: Path, replace_plan: Replace, replaced_in: int
) -> None:
    def trouble(items: range) -> None:
        if items.start == replaced_in and Manifest.load(RunPaths(folder).manifest) == OLD:
            replace_plan(folder)

    with pytest.raises(ReplacedError):
        run(
            RunPaths(folder), OLD, partial(ToyWork, batch_items=8, trouble=trouble), window=Window()
        )
    committed = open_ledger(RunPaths(folder), NEW).progress.arms["one"].chunks_committed
    assert committed == 0, "what the old plan computed is none of the new one's"
    insist_that_it_completes(folder)


@REPLACEMENTS
def test_two_plans_at_work_in_one_folder_never_mix(folder: Path, replace_plan: Replace) -> None:
    def trouble(items: range) -> None:
        if items.start == 0 and Manifest.load(RunPaths(folder).manifest) == OLD:
            replace_plan(folder)
            assert toy_run(folder, batch_items=8, max_chunks=4).chunks_done == 4

    with pytest.raises(ReplacedError):
        run(
            RunPaths(folder), OLD, partial(ToyWork, batch_items=8, trouble=trouble), window=Window()
        )
    assert verify(RunPaths(folder)) == []
    insist_that_it_completes(folder)


def test_a_plan_that_is_lost_under_a_session_ends_it(folder: Path) -> None:
    def trouble(items: range) -> None:
        RunPaths(folder).manifest.unlink(missing_ok=True)

    with pytest.raises(ReplacedError, match="is gone"):
        run(
            RunPaths(folder), OLD, partial(ToyWork, batch_items=8, trouble=trouble), window=Window()
        )
    OLD.save(RunPaths(folder).manifest)
    insist_that_it_completes(folder, OLD)


def test_a_manifest_written_again_with_other_paths_disturbs_nobody(folder: Path) -> None:
    moved = replace(OLD, sources={"scan": "elsewhere.npz"})

    def trouble(items: range) -> None:
        moved.save(RunPaths(folder).manifest)

    outcome = run(
        RunPaths(folder), OLD, partial(ToyWork, batch_items=8, trouble=trouble), window=Window()
    )
    assert outcome.stop is ExitCode.COMPLETE


def test_a_session_takes_the_plan_that_is_there_once_it_can_be_seen(folder: Path) -> None:
    """While it waits for the lock, the plan that it has read is replaced."""
    paths = RunPaths(folder)
    with PlanLock(paths, SILENT):
        child = spawn(complete_whatever_is_planned, folder)
        time.sleep(0.3)
        invalidate(folder)
    child.join()
    assert child.exitcode == 0
    assert decoded(folder) == expected(NEW)
    quoted = {r.manifest for _, r in read_records(paths) if isinstance(r, Opened)}
    assert quoted == {NEW.digest}


def test_a_plan_that_is_replaced_just_as_a_session_opens_is_seen_by_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file system has no locks, nothing else keeps the two apart."""
    moments = iter([invalidate])

    def begin_and_be_overtaken(*args: Any, **options: Any) -> SessionLedger:
        session = begin(*args, **options)
        for replace_plan in moments:
            replace_plan(folder)
        return session

    monkeypatch.setattr(opening, "begin", begin_and_be_overtaken)
    with opened_session(RunPaths(folder), Window()) as opened:
        assert opened.manifest == NEW
    ended = [file.closed for file in open_ledger(RunPaths(folder), NEW).sessions.values()]
    assert len(ended) == 2 and all(ended), "the first one is over, too"
    presence.require_no_active_session(RunPaths(folder))


def complete_whatever_is_planned(folder: Path) -> None:
    from ptyrun.engine import runner

    with opened_session(RunPaths(folder), Window()) as opened:
        assert runner.work(opened, ToyWork).stop is ExitCode.COMPLETE


def test_a_session_is_seen_before_it_has_begun_to_work(folder: Path) -> None:
    paths = RunPaths(folder)
    with (
        opened_session(RunPaths(folder), Window()),
        pytest.raises(BusyError, match=f"process {os.getpid()}"),
    ):
        presence.require_no_active_session(paths)
    presence.require_no_active_session(paths)


def test_how_a_session_ended_is_written_down_wherever_it_was(folder: Path) -> None:
    with (
        pytest.raises(ValueError, match="no such device"),
        opened_session(RunPaths(folder), Window()),
    ):
        raise ValueError("no such device")
    (file,) = open_ledger(RunPaths(folder), OLD).sessions.values()
    assert file.closed is not None
    assert file.closed.exit_code == ExitCode.FAILED
    assert "no such device" in file.closed.reason


def test_a_stopped_session_is_waited_for_and_then_named(folder: Path) -> None:
    child = spawn(work, folder, batch_items=4, compute_s=0.05)
    wait_for_a_session(folder)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    began_s = time.monotonic()
    with pytest.raises(BusyError, match=f"process {child.pid} on .*, since 2"):
        presence.require_no_active_session(RunPaths(folder), patience_s=0.5)
    assert time.monotonic() - began_s >= 0.5
    child.kill()
    child.join()
    presence.require_no_active_session(RunPaths(folder))


def test_a_session_that_ends_in_time_is_no_hindrance(folder: Path) -> None:
    child = spawn(work, folder, batch_items=8, compute_s=0.02)
    wait_for_a_session(folder)
    presence.require_no_active_session(RunPaths(folder), patience_s=600)
    child.join()
    assert child.exitcode == 0


def test_a_living_process_is_a_presence_without_any_lock(folder: Path) -> None:
    """The claims may be deleted at any time: the process itself is asked."""
    with opened_session(RunPaths(folder), Window()) as opened:
        opened.claims.close()
        assert not list(RunPaths(folder).claims.glob("*.claim"))
        with pytest.raises(BusyError):
            presence.require_no_active_session(RunPaths(folder))


def wait_for_a_session(folder: Path) -> None:
    paths = RunPaths(folder)
    while not any(path.stat().st_size for path in paths.ledger.glob("*")):
        time.sleep(0.01)


def stranger(folder: Path, *records: Started | Failed | Forgotten | Committed) -> str:
    """A session of another manifest that nothing here knows."""
    other = toy_manifest(64, 8, {"one": 7.0})
    session = begin(Ledger(RunPaths(folder), other), None, Process.current(), "0")
    session.append(records)
    return session.name


def test_what_a_session_of_another_manifest_says_counts_for_nothing(folder: Path) -> None:
    toy_run(folder, max_chunks=4)
    paths, arm = RunPaths(folder), OLD.arms[0]
    alike = open_ledger(paths, OLD).progress.arms["one"]
    before = bytes(alike.committed)
    assert before.count(1) == 4
    stranger(
        folder,
        Forgotten("one", 0, 0, "not of this run"),
        Started("one", 5, 0, 1.0),
        Failed("one", 6, 1, "ValueError: no", "", 1.0),
    )
    told = open_ledger(paths, OLD)
    found = told.progress.arms["one"]
    assert bytes(found.committed) == before
    assert not found.failures and not found.open_starts
    assert verify(paths) == []
    committed = Committed(
        "one", 7, "one/patches/c.7.0.0", 9, "00000001", arm.fingerprint, 1, 0.1, 0.1, True, 1.0
    )
    name = stranger(folder, committed)
    told.refresh()
    assert bytes(found.committed) == before, "not even with this arm's fingerprint"
    with pytest.raises(IdentityError, match=name):
        open_ledger(paths, OLD)
    assert [damage.path for damage in repair(paths, verify(paths))] == [f"ledger/{name}.jsonl"]


def test_windows_of_another_manifest_do_not_count_as_windows_without_progress(
    folder: Path,
) -> None:
    from ptyrun.engine.records import Closed

    other = toy_manifest(64, 8, {"one": 7.0})
    for _ in range(3):
        closed = Closed(int(ExitCode.INCOMPLETE), "the window is used up", 0, 1.0, 9.0)
        begin(Ledger(RunPaths(folder), other), 5.0, Process.current(), "0").close(closed)
    assert fruitless(open_ledger(RunPaths(folder), OLD)).windows == 0


def starts_late(folder: Path, delay_s: float, compute_s: float) -> None:
    """A session whose long preparations lie between reading its plan and opening."""
    with suppress(ReplacedError, InputError):  # the latter while the new folder is still empty
        manifest = Manifest.load(RunPaths(folder).manifest)
        time.sleep(delay_s)
        run(
            RunPaths(folder),
            manifest,
            partial(ToyWork, batch_items=8, compute_s=compute_s),
            window=Window(),
            max_chunks=4,
        )


def replaces(folder: Path, replace_plan: Callable[[Path, Manifest], None], new: Manifest) -> None:
    """What ``plan`` does, with the lock and the question whether anybody is there."""
    paths = RunPaths(folder)
    with PlanLock(paths, SILENT) as lock:
        presence.require_no_active_session(paths, patience_s=600)
        replace_plan(folder, new)
        if replace_plan is begin_anew:
            lock.follow()


@pytest.mark.parametrize("replace_plan", [invalidate, begin_anew])
def test_sessions_and_plans_at_any_moment_leave_a_run_that_completes(
    folder: Path, replace_plan: Callable[[Path, Manifest], None]
) -> None:
    children = []
    new = OLD
    for number in range(6):
        delays_s = (0.0, 0.01 * number)
        children += [spawn(starts_late, folder, delay_s, 0.002) for delay_s in delays_s]
        new = toy_manifest(64, 8, {"one": 2.0 + number, "two": 3.0})
        replaces(folder, replace_plan, new)
        CurrentPlan(RunPaths(folder), new).raise_if_failed()
    for child in children:
        child.join()
    assert {child.exitcode for child in children} == {0}
    assert verify(RunPaths(folder)) == []
    insist_that_it_completes(folder, new)

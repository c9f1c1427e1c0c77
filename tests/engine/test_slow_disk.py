"""Does a session on a slow disk end in time, and is a quick one as quick as ever?"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.pace import MAX_CHUNKS, TARGET_S, CommitPace
from ptyrun.engine.window import Window
from ptyrun.host import durable
from ptyrun.host.clock import boot_clock_s
from ptyrun.paths import RunPaths
from tests.engine.children import spawn
from tests.engine.toys import just_begun, planned, toy_manifest, toy_run

FSYNC_S = 0.5
# Unbounded, the disk alone makes up for 10 s and more; a busy machine is late besides.
PATIENCE_S = 6.0


def work_slowly(folder: Path, budget_s: float | None, signal_after_s: float) -> None:
    """One session whose every sync takes long; says how much too late it ended."""
    fsync, sync_data = os.fsync, durable._sync_data

    def slow(handle: Any) -> None:
        time.sleep(FSYNC_S)
        fsync(handle)

    def slow_data(handle: int) -> None:
        time.sleep(FSYNC_S)
        sync_data(handle)

    os.fsync, durable._sync_data = slow, slow_data  # type: ignore[assignment]
    asked_s = [boot_clock_s() + (budget_s or 0.0)]

    def ask() -> None:
        asked_s[0] = boot_clock_s()
        os.kill(os.getpid(), signal.SIGTERM)

    if signal_after_s:
        threading.Timer(signal_after_s, ask).start()
    window = Window(budget_s, just_begun())
    outcome = toy_run(folder, batch_items=4, compute_s=0.001, window=window)
    (folder / "late_s").write_text(str(boot_clock_s() - asked_s[0]))
    sys.exit(int(outcome.stop))


@pytest.mark.parametrize(("budget_s", "signal_after_s"), [(8.0, 0.0), (None, 6.0)])
def test_a_slow_disk_holds_up_neither_window_nor_signal(
    tmp_path: Path, budget_s: float | None, signal_after_s: float
) -> None:
    planned(tmp_path, toy_manifest(40_000, 4))
    child = spawn(work_slowly, tmp_path, budget_s, signal_after_s)
    child.join()
    assert child.exitcode == 75
    late_s = float((tmp_path / "late_s").read_text())
    assert late_s < PATIENCE_S
    paths = RunPaths(tmp_path)
    ledger = open_ledger(paths, Manifest.load(paths.manifest))
    assert ledger.progress.chunks_committed > 0, "a session gets on for all that"
    arm = ledger.progress.arms["one"]
    assert not arm.failures, "what was dropped is not a failure"
    assert not any(ledger.attempts(arm, chunk, lambda session: False) for chunk in range(100))


def paced(commit_s: dict[int, float], rounds: int = 40) -> CommitPace:
    """A pace that learnt from a disk on which n chunks take what *commit_s* says, or in between."""
    pace = CommitPace()
    for _ in range(rounds):
        n_chunks = pace.group_chunks
        pace.note(n_chunks, max(s for n, s in commit_s.items() if n <= n_chunks))
    return pace


def test_groups_grow_to_the_largest_on_a_quick_disk_within_a_few_commits() -> None:
    pace = paced({1: 0.002, 64: 0.02}, rounds=6)
    assert pace.group_chunks == MAX_CHUNKS
    assert pace.waiting_chunks == 2 * MAX_CHUNKS


def test_groups_on_a_slow_disk_are_as_large_as_costs_nothing() -> None:
    slow = {1: 3 * FSYNC_S, 9: 4 * FSYNC_S, 17: 5 * FSYNC_S, 33: 8 * FSYNC_S}
    assert 4 <= paced(slow).group_chunks <= 16


def test_large_chunks_are_committed_in_groups_that_take_half_a_second() -> None:
    linear = {n: 0.2 * n for n in range(1, 65)}
    pace = paced(linear)
    assert pace.group_chunks * 0.2 <= 2 * TARGET_S
    assert pace.seconds(pace.group_chunks) >= 0.2


def test_little_waits_before_the_first_commit_is_known() -> None:
    assert CommitPace().waiting_chunks == 1
    assert CommitPace().seconds(64) == 0.0

"""Processes that die at the worst moment, each followed by a session that heals."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import sys
import threading
import time
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from ptyrun.engine.integrity import verify
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.runner import WAIT_S
from ptyrun.engine.work import Event
from ptyrun.errors import ExitCode
from ptyrun.paths import RunPaths
from tests.engine.children import KILLED, die_before_change, spawn, work
from tests.engine.toys import decoded, expected, planned, toy_manifest, toy_run

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="dies by /proc and os._exit, on Linux"
)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    folder = tmp_path / "planned"
    planned(folder, toy_manifest(44, 8))
    return folder


def copy_of(plan: Path, name: str) -> Path:
    return Path(shutil.copytree(plan, plan.with_name(name)))


def heal(folder: Path) -> None:
    """What is committed is whole; the next session completes the rest, equal bytes."""
    manifest = Manifest.load(RunPaths(folder).manifest)
    assert verify(RunPaths(folder)) == []
    assert toy_run(folder).stop is ExitCode.COMPLETE
    assert decoded(folder) == expected(manifest)
    assert verify(RunPaths(folder)) == []


@pytest.mark.parametrize("torn", [False, True])
def test_resume_heals_a_crash_before_every_change_of_the_disk(plan: Path, torn: bool) -> None:
    step = 4 if torn else 1  # few changes are writes
    crashes = 0
    for first in itertools.count(0, 4 * step):
        points = range(first, first + 4 * step, step)
        victims = {point: copy_of(plan, f"victim-{point}") for point in points}
        children = {n: spawn(die_before_change, victims[n], n, torn) for n in points}
        for point, child in children.items():
            child.join(300)
            assert child.exitcode in (KILLED, ExitCode.COMPLETE), f"crash point {point}"
            heal(victims[point])
            crashes += child.exitcode == KILLED
        if children[points[-1]].exitcode == ExitCode.COMPLETE:
            break
    assert crashes > (15 if torn else 60), "too few changes were seen: the test no longer bites"


def test_repeated_crashes_of_one_run_heal(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest(40, 8, {"one": 1.0, "two": 2.0}))
    for survives in (12, 25, 17, 40):
        child = spawn(die_before_change, tmp_path, survives)
        child.join(300)
    heal(tmp_path)


def test_two_workers_killed_at_random_end_in_the_same_bytes(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest(320, 4, {"one": 1.0, "two": 2.0}))
    chance = random.Random(4)
    codes: list[int | None] = []
    kills = 0
    workers: list[ForkServerProcess] = []
    deadline_s = time.monotonic() + 300
    while ExitCode.COMPLETE not in codes:
        assert time.monotonic() < deadline_s, codes
        while len(workers) < 2:
            workers.append(spawn(work, tmp_path, batch_items=4, compute_s=0.005, max_attempts=20))
        time.sleep(chance.uniform(0.05, 0.4))
        victim = workers.pop(chance.randrange(2))
        if victim.exitcode is None and victim.pid:
            os.kill(victim.pid, signal.SIGKILL)
            kills += 1
        victim.join(300)
        codes.append(victim.exitcode)
    for worker in workers:
        worker.join(300)
        assert worker.exitcode == ExitCode.COMPLETE
    assert kills >= 3
    assert decoded(tmp_path) == expected(manifest)
    assert verify(RunPaths(tmp_path)) == []


def test_two_workers_share_the_work_without_doing_it_twice(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest(160, 4))
    workers = [spawn(work, tmp_path, batch_items=4, compute_s=0.02) for _ in range(2)]
    for worker in workers:
        worker.join(300)
        assert worker.exitcode == ExitCode.COMPLETE
    text = "".join(path.read_text() for path in RunPaths(tmp_path).ledger.iterdir())
    assert text.count('"event":"commit"') == manifest.arms[0].n_chunks
    sessions = [path.read_text() for path in RunPaths(tmp_path).ledger.iterdir()]
    assert all('"event":"commit"' in session for session in sessions), "one did all the work"
    assert decoded(tmp_path) == expected(manifest)


def blocked_by(gate: Path, items: range) -> None:
    """A trouble that holds up a session until *gate* is there."""
    while not gate.exists():
        time.sleep(0.01)


def test_a_session_waits_for_what_another_one_has_in_hand(tmp_path: Path) -> None:
    folder, gate = tmp_path / "run", tmp_path / "gate"
    manifest = planned(folder, toy_manifest(64, 8))
    other = spawn(work, folder, batch_items=8, trouble=partial(blocked_by, gate))
    while not any(
        '"event":"start"' in path.read_text() for path in RunPaths(folder).ledger.glob("*")
    ):
        assert other.is_alive()
        time.sleep(0.01)

    def listen(event: Event) -> None:
        if event.kind == "waiting":
            threading.Timer(4 * WAIT_S, gate.touch).start()

    assert toy_run(folder, batch_items=8, progress=listen).stop is ExitCode.COMPLETE
    other.join()
    assert other.exitcode == ExitCode.COMPLETE
    text = "".join(path.read_text() for path in RunPaths(folder).ledger.glob("*"))
    assert text.count('"event":"commit"') == manifest.arms[0].n_chunks
    assert decoded(folder) == expected(manifest)

"""Signals to real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from ptyrun.config import Fact
from ptyrun.engine import arm_run
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import Closed
from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode
from ptyrun.host.signals import Interrupts
from ptyrun.paths import RunPaths
from tests.engine.children import spawn, work
from tests.engine.toys import ToyWork, decoded, expected, planned, run, toy_manifest, toy_run
from tests.kernel import wait_until_it_no_longer_catches


def committed(folder: Path) -> int:
    paths = RunPaths(folder)
    ledger = open_ledger(paths, Manifest.load(paths.manifest))
    return ledger.progress.chunks_committed


def wait_for_commits(folder: Path, count: int) -> None:
    deadline_s = time.monotonic() + 300
    while committed(folder) < count:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def last_words(folder: Path) -> list[Closed]:
    return [record for _, record in read_records(RunPaths(folder)) if isinstance(record, Closed)]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGTERM, "received SIGTERM"),
        (signal.SIGUSR1, "received SIGUSR1"),
        (signal.SIGUSR2, "received SIGUSR2"),
        (signal.SIGHUP, "received SIGHUP"),
        (signal.SIGXCPU, "received SIGXCPU"),
        (signal.SIGINT, "interrupted"),
    ],
)
def test_a_signal_closes_the_window_early_and_nothing_is_lost(
    tmp_path: Path, number: signal.Signals, reason: str
) -> None:
    manifest = planned(tmp_path, toy_manifest(800, 8))
    child = spawn(work, tmp_path, batch_items=8, compute_s=0.05)
    wait_for_commits(tmp_path, 3)
    assert child.pid
    os.kill(child.pid, number)
    child.join(300)
    assert child.exitcode == ExitCode.INCOMPLETE
    (closed,) = last_words(tmp_path)
    assert (closed.reason, closed.exit_code) == (reason, ExitCode.INCOMPLETE)
    assert toy_run(tmp_path).stop is ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)


def test_a_long_chunk_is_dropped_when_a_signal_comes(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest(1600, 800))
    child = spawn(work, tmp_path, batch_items=4, compute_s=0.1)  # 20 s for a chunk
    deadline_s = time.monotonic() + 300
    while '"event":"start"' not in _ledger_text(tmp_path):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert child.pid
    os.kill(child.pid, signal.SIGTERM)
    child.join(300)
    assert child.exitcode == ExitCode.INCOMPLETE
    assert committed(tmp_path) == 0


def test_what_was_computed_when_a_signal_came_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes in the second chunk, while the first one is judged; both are kept."""
    monkeypatch.setattr(arm_run, "COMMIT_GRACE_S", 60.0, raising=False)
    manifest = planned(tmp_path, toy_manifest(64, 8))
    asked = threading.Event()

    class Judged(ToyWork):
        def check(self, items: range, outputs: NDArray[Any]) -> Mapping[str, Fact]:
            asked.wait(60)
            return super().check(items, outputs)

    def trouble(items: range) -> None:
        if items.start == 8:
            os.kill(os.getpid(), signal.SIGTERM)
            # Not before the session has heard it, and gone once around its loop.
            threading.Timer(0.5, asked.set).start()

    work = partial(Judged, batch_items=8, trouble=trouble)
    outcome = run(RunPaths(tmp_path), manifest, work, window=Window())
    assert outcome.stop is ExitCode.INCOMPLETE
    done = opened(tmp_path).progress.arms["one"].committed
    assert [chunk for chunk, yes in enumerate(done) if yes] == [0, 1]


def opened(folder: Path) -> Ledger:
    return open_ledger(RunPaths(folder), Manifest.load(RunPaths(folder).manifest))


def _ledger_text(folder: Path) -> str:
    ledger = RunPaths(folder).ledger
    return "".join(p.read_text() for p in ledger.iterdir()) if ledger.is_dir() else ""


def test_the_second_interrupt_leaves_at_once(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest(800, 400))
    child = spawn(work, tmp_path, batch_items=400, compute_s=30)
    deadline_s = time.monotonic() + 300
    while '"event":"start"' not in _ledger_text(tmp_path):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert child.pid
    os.kill(child.pid, signal.SIGINT)
    wait_until_it_no_longer_catches(child.pid, signal.SIGINT)
    os.kill(child.pid, signal.SIGINT)
    child.join(300)
    assert child.exitcode == -signal.SIGINT
    assert toy_run(tmp_path, batch_items=400).stop is ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)


# What is raised in a finaliser goes no further.
DEAF = """
import time
from ptyrun.host.signals import leave_on_signals

class Deaf:
    def __del__(self):
        print("listening", flush=True)
        time.sleep(60)

leave_on_signals()
Deaf()
time.sleep(60)
"""


def left(program: str, number: signal.Signals) -> tuple[int, str]:
    """Exit code and stderr of a program that gets a signal once it says that it listens."""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(number)
        _, said = child.communicate(timeout=300)
    return child.returncode, said


def test_a_process_leaves_even_where_its_exit_gets_lost() -> None:
    code, said = left(DEAF, signal.SIGUSR1)
    assert code == ExitCode.INCOMPLETE
    assert said == "received SIGUSR1: run the same command again to go on\n"


# The kernel gives the signal to another thread, so that it does not interrupt the wait.
WAITING = """
import signal, threading, time
from ptyrun.host.signals import leave_on_signals

threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
leave_on_signals()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("listening", flush=True)
time.sleep(600)
"""


def test_a_signal_that_did_not_interrupt_a_wait_is_noticed() -> None:
    code, said = left(WAITING, signal.SIGTERM)
    assert code == ExitCode.INCOMPLETE
    assert "received SIGTERM: run the same command again" in said


# Foreign code is asked for patches, and the signal comes meanwhile.
PREDICTING = """
import time
from ptyrun.host.signals import leave_on_signals
from ptyrun.models.predictors import in_foreign_code

leave_on_signals()
with in_foreign_code():
    print("listening", flush=True)
    time.sleep(60)
"""


def test_a_signal_while_foreign_code_runs_is_no_fault_of_that_code() -> None:
    code, said = left(PREDICTING, signal.SIGTERM)
    assert code == ExitCode.INCOMPLETE
    assert "Traceback" not in said


# What a process lets go of at its very end takes longer than it is given to end in good order.
ENDING_SLOWLY = """
import time
from ptyrun.host.signals import PATIENCE_S, leave_on_signals

class Slow:
    def __del__(self, sleep=time.sleep, seconds=2 * PATIENCE_S):
        sleep(seconds)

slow = Slow()
leave_on_signals()
print("listening", flush=True)
time.sleep(600)
"""


def test_a_process_that_ends_slowly_ends_with_its_code_and_not_by_an_alarm() -> None:
    code, _ = left(ENDING_SLOWLY, signal.SIGTERM)
    assert code == ExitCode.INCOMPLETE


def test_a_session_under_nohup_goes_on_ignoring_hangups() -> None:
    program = (
        "import os, signal\n"
        "from ptyrun.host.signals import Interrupts, leave_on_signals\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does\n"
        "leave_on_signals()\n"
        "with Interrupts() as interrupts:\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    assert interrupts.reason is None\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    assert interrupts.reason == 'received SIGTERM'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


def test_handlers_are_put_back_after_a_session() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        deadline_s = time.monotonic() + 300
        while interrupts.reason is None and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert interrupts.reason == "received SIGTERM"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_session_outside_the_main_thread_works_without_signals(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(toy_run(tmp_path)))
    thread.start()
    thread.join()
    assert outcomes[0].stop is ExitCode.COMPLETE


def test_a_stopped_worker_that_wakes_up_past_its_lease_does_no_harm(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest(64, 8))
    options = {"batch_items": 8, "shared": True, "lease_s": 1.0}
    sleeper = spawn(work, tmp_path, compute_s=0.2, **options)
    wait_for_commits(tmp_path, 1)
    assert sleeper.pid
    os.kill(sleeper.pid, signal.SIGSTOP)
    other = spawn(work, tmp_path, **options)
    other.join(300)
    assert other.exitcode == ExitCode.COMPLETE
    os.kill(sleeper.pid, signal.SIGCONT)
    sleeper.join(300)
    assert sleeper.exitcode == ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)

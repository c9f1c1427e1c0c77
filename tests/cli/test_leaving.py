"""Do signals close a window early also while nothing is predicted?"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests.studies import TRUST, Study, ptyrun

INCOMPLETE = 75


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 300
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def is_assembling(pid: int) -> bool:
    """Whether a process has loaded what only the assembly needs."""
    return "/scipy/" in Path(f"/proc/{pid}/maps").read_text()


@pytest.fixture(scope="module")
def computed(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that lacks nothing but its results."""
    folder = tmp_path_factory.mktemp("computed") / "run"
    assert ptyrun(*study.words(folder, "--max-chunks=1")).returncode == INCOMPLETE
    assert ptyrun("run", str(folder), *TRUST).returncode == 0
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_while_results_are_assembled_says_run_again(
    computed: Path, number: signal.Signals
) -> None:
    with FileLock(computed / "claims" / "finalize.lock"):  # it gets no further than this
        child = subprocess.Popen(
            [sys.executable, "-m", "ptyrun", "finalize", str(computed)],
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: is_assembling(child.pid))
        child.send_signal(number)
        _, said = child.communicate(timeout=300)
    assert child.returncode == INCOMPLETE, said
    assert f"received {number.name}: run the same command again" in said
    assert "Traceback" not in said


def test_a_run_that_was_left_while_it_was_assembled_is_completed_by_the_same_command(
    computed: Path,
) -> None:
    assert ptyrun("finalize", str(computed)).returncode == 0
    assert ptyrun("verify", str(computed)).returncode == 0

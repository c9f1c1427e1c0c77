"""Do windows that come to nothing end, whatever they were doing?"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from ptyrun.errors import ClosedWhileWaitingError, ExitCode
from ptyrun.host import locks
from ptyrun.host.advice import ASKED_FOR, asked_for
from ptyrun.host.attempts import Attempts
from ptyrun.host.clock import boot_clock_s
from ptyrun.host.deadline import DEADLINE
from ptyrun.host.locks import Lock, exclude

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the timer is Linux's")

SLOW = "import time; open({began!r}, 'w').close(); time.sleep(600)"


@pytest.fixture
def slow(tmp_path: Path) -> dict[str, str]:
    """An environment in which the import that every comparison makes takes ten minutes."""
    (tmp_path / "numpy.py").write_text(SLOW.format(began=str(tmp_path / "began")))
    (tmp_path / "scan.npz").touch()
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    return {**os.environ, "PYTHONPATH": str(tmp_path), "XDG_RUNTIME_DIR": str(runtime)}


def words(folder: Path, window: str) -> list[str]:
    command = [sys.executable, "-m", "ptyrun", "compare", f"--test_data={folder / 'scan.npz'}"]
    return [*command, f"--output_dir={folder / 'run'}", "--arm=name=a,path=a", "--window", window]


def window(folder: Path, environment: Mapping[str, str], length: str = "1s") -> tuple[int, str]:
    done = subprocess.run(
        words(folder, length), env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_the_third_window_in_vain_is_an_error_that_says_which_would_do(
    tmp_path: Path, slow: dict[str, str]
) -> None:
    assert [window(tmp_path, slow)[0] for _ in range(2)] == [ExitCode.INCOMPLETE] * 2
    code, said = window(tmp_path, slow)
    assert code == ExitCode.FAILED
    found = re.search(r"use --window (\d+)s or more", said)
    assert found
    assert float(found[1]) > 1
    assert not (tmp_path / "run").exists()


def test_a_longer_window_begins_the_count_anew(tmp_path: Path, slow: dict[str, str]) -> None:
    codes = [window(tmp_path, slow, length)[0] for length in ("1s", "1s", "1.1s", "1.1s", "1.1s")]
    assert codes == [ExitCode.INCOMPLETE] * 4 + [ExitCode.FAILED]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_who_was_asked_or_killed_was_no_short_window(
    tmp_path: Path, slow: dict[str, str], number: signal.Signals
) -> None:
    for _ in range(3):
        child = subprocess.Popen(words(tmp_path, "100s"), env=slow)
        deadline_s = time.monotonic() + 300
        while not (tmp_path / "began").exists():
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        (tmp_path / "began").unlink()
        child.send_signal(number)
        expected = -number if number == signal.SIGKILL else ExitCode.INCOMPLETE
        assert child.wait(60) == expected
    code, said = window(tmp_path, slow)
    assert (code, "came to nothing" in said) == (ExitCode.INCOMPLETE, False)


def test_where_nothing_can_be_counted_windows_still_end(
    tmp_path: Path, slow: dict[str, str]
) -> None:
    (tmp_path / "runtime" / "ptyrun").mkdir(mode=0o777)
    (tmp_path / "runtime" / "ptyrun").chmod(0o777)  # others could write here: not believed
    assert [window(tmp_path, slow)[0] for _ in range(3)] == [ExitCode.INCOMPLETE] * 3


def test_what_the_third_window_is_told_is_what_the_ones_before_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(DEADLINE, "end_with", lambda code: None)
    monkeypatch.setattr(DEADLINE, "at_s", boot_clock_s() + 100.0)
    for enough_s in (17.5, 41.2):
        window = Attempts()
        window.begin(["run", "RUN"], 3.0)
        window.fell_short(enough_s)
        time.sleep(0.02)
    said = Attempts().begin(["run", "RUN"], 3.0)
    assert said is not None and "use --window 42s or more" in said


def counted(words_: list[str], monkeypatch: pytest.MonkeyPatch) -> Attempts:
    """Count a window that ended at its deadline, in vain."""
    found = Attempts()
    monkeypatch.setattr(DEADLINE, "at_s", boot_clock_s() - 1.0)
    found.begin(words_, 3.0)
    time.sleep(0.02)  # the next one is called by another time
    return found


def test_progress_in_a_folder_by_any_command_begins_the_count_of_all_its_commands_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(DEADLINE, "end_with", lambda code: None)
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    other.mkdir()
    for _ in range(2):  # the first command names the folder, the second one only reaches it
        counted(["run", "run"], monkeypatch)
        counted(["run", "other"], monkeypatch)
        counted(["compare", "--config", "c.toml"], monkeypatch).works_on(run)
    elsewhere = Attempts()
    elsewhere.works_on(run)
    elsewhere.progressed()
    assert counted(["run", "run"], monkeypatch).before == 0
    assert counted(["compare", "--config", "c.toml"], monkeypatch).before == 0
    assert counted(["run", "other"], monkeypatch).before == 2


def test_a_window_that_waits_for_another_process_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(DEADLINE, "end_with", lambda code: None)
    with Lock(tmp_path / "plan.lock") as held, asked_for() as advice:
        assert held.try_acquire()
        monkeypatch.setenv(ASKED_FOR, advice.environment[ASKED_FOR])
        for _ in range(4):
            window = counted(["run", "RUN"], monkeypatch)
            assert window.before == 0
            monkeypatch.setattr(locks, "ATTEMPTS", window)
            with pytest.raises(ClosedWhileWaitingError):
                exclude(Lock(tmp_path / "plan.lock"), "plans", is_closing=lambda: True)
            assert advice.take() is None
            assert advice.has_waited

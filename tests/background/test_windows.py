"""Do windows repeat until there is an end, and stop when there will be none?"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat
from pathlib import Path

import pytest

from ptyrun.background.windows import MAX_IN_VAIN, Goal, until_complete, words_of_windows
from ptyrun.errors import ExitCode, NoProgressError
from ptyrun.host.advice import WAITED
from ptyrun.host.children import Parent
from ptyrun.paths import RunPaths
from tests.paced import Bench, until


def exits(*codes: int) -> Iterator[Sequence[str]]:
    """A command per window that ends as told: an exit code, or minus a signal."""
    for code in codes:
        end = f"os.kill(os.getpid(), {-code})" if code < 0 else f"os._exit({code})"
        yield (sys.executable, "-S", "-c", f"import os; {end}")


class Notes:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, task: str, total: int, done: int = 0, unit: str = "groups") -> None: ...
    def advance(self, task: str, count: int) -> None: ...
    def end(self, task: str) -> None: ...
    def note(self, text: str) -> None:
        self.said.append(text)

    warn = note


STILL = Goal(lambda: 0, lambda: True)  # nothing is achieved, and an exit code of 0 is true


def test_a_loop_begins_afresh_until_there_is_another_plan_and_never_again(tmp_path: Path) -> None:
    manifest = RunPaths(tmp_path).manifest
    manifest.write_text("of the run that is to be set aside")
    windows = words_of_windows(RunPaths(tmp_path), ["--new"], [])
    assert [next(windows) for _ in range(3)] == [["--new"]] * 3
    manifest.rename(tmp_path / "set aside")
    assert next(windows) == []
    manifest.write_text("of the new run")
    assert [next(windows) for _ in range(2)] == [[]] * 2


@pytest.mark.parametrize("last", [0, 1, 2, 3])
def test_windows_repeat_while_work_remains_and_hand_on_the_last_exit_code(last: int) -> None:
    with Parent() as parent:
        ended = until_complete(parent, exits(75, 75, last), STILL, Notes())
    assert (ended.exit_code, ended.windows) == (last, 3)


def test_a_killed_window_is_followed_by_another() -> None:
    notes = Notes()
    with Parent() as parent:
        ended = until_complete(parent, exits(-9, -11, 75, 0), STILL, notes)
    assert (ended.exit_code, ended.windows) == (0, 4)
    assert ["SIGKILL" in notes.said[0], "SIGSEGV" in notes.said[1]] == [True, True]


def test_windows_that_die_without_progress_come_to_an_end() -> None:
    with Parent() as parent, pytest.raises(NoProgressError, match=f"^{MAX_IN_VAIN} windows"):
        until_complete(parent, exits(*repeat(-9, 100)), STILL, Notes())


def test_windows_that_close_without_progress_come_to_an_end() -> None:
    notes = Notes()
    with (
        Parent() as parent,
        pytest.raises(NoProgressError, match=f"^{MAX_IN_VAIN} windows") as error,
    ):
        until_complete(parent, exits(*repeat(75, 100)), STILL, notes)
    assert "longer --window" in str(error.value)
    assert not notes.said


def test_windows_that_close_with_progress_go_on() -> None:
    done = iter(range(100))
    goal = Goal(lambda: next(done), lambda: True)
    with Parent() as parent:
        ended = until_complete(parent, exits(*repeat(75, MAX_IN_VAIN + 2), 0), goal, Notes())
    assert ended.exit_code == 0


def test_an_exit_code_of_0_is_believed_only_if_nothing_is_left_to_do() -> None:
    notes = Notes()
    reached = iter([False, False, True])
    with Parent() as parent:
        goal = Goal(lambda: 0, lambda: next(reached))
        ended = until_complete(parent, exits(0, 0, 0), goal, notes)
    assert (ended.exit_code, ended.windows) == (0, 3)
    assert "ended with exit code 0 and left the run incomplete" in notes.said[0]
    with Parent() as parent, pytest.raises(NoProgressError, match=f"^{MAX_IN_VAIN} windows"):
        until_complete(parent, exits(*repeat(0, 99)), Goal(lambda: 0, lambda: False), Notes())


def needs(seconds: int, code: int) -> Iterator[Sequence[str]]:
    """Windows that end with *code* and say which would do, until they are as long."""
    program = (
        "import os, pathlib, sys\n"
        f"if int(sys.argv[-1][:-1]) >= {seconds}: os._exit(0)\n"
        f"pathlib.Path(os.environ['PTYRUN_ADVICE']).write_text('{seconds}')\n"
        f"os._exit({code})"
    )
    return repeat((sys.executable, "-S", "-c", program, "--window", "5s"))


@pytest.mark.parametrize("code", [1, 75])
def test_a_loop_that_is_told_which_window_would_do_takes_it(code: int) -> None:
    notes = Notes()
    with Parent() as parent:
        ended = until_complete(parent, needs(38, code), STILL, notes)
    assert (ended.exit_code, ended.windows) == (0, 2)
    assert "38 s" in notes.said[0]


def test_windows_that_wait_for_other_processes_go_on() -> None:
    """They may well take longer than any number of windows."""
    program = (
        "import os, pathlib\n"
        f"pathlib.Path(os.environ['PTYRUN_ADVICE']).write_text('{WAITED}\\n')\n"
        "os._exit(75)"
    )
    waiting = repeat((sys.executable, "-S", "-c", program), MAX_IN_VAIN + 2)
    with Parent() as parent:
        ended = until_complete(parent, chain(waiting, exits(0)), STILL, Notes())
    assert (ended.exit_code, ended.windows) == (0, MAX_IN_VAIN + 3)


def test_a_loop_that_took_the_window_it_was_told_hands_the_error_on() -> None:
    with Parent() as parent:
        ended = until_complete(parent, chain(islice(needs(38, 1), 1), exits(1)), STILL, Notes())
    assert (ended.exit_code, ended.windows) == (1, 2)


def test_windows_that_die_with_progress_go_on() -> None:
    done = iter(range(100))
    with Parent() as parent:
        ended = until_complete(
            parent,
            exits(*repeat(-9, MAX_IN_VAIN + 2), 0),
            Goal(lambda: next(done), lambda: True),
            Notes(),
        )
    assert ended.exit_code == 0


def test_a_run_drives_itself_through_windows_until_it_is_complete(bench: Bench) -> None:
    done = bench.do("run", "--until-complete", "--max-chunks", "3")
    assert done.returncode == 0, done.stderr
    assert bench.commits() == 6
    sessions = [path.name.split("-") for path in (bench.run / "ledger").glob("*.jsonl")]
    assert len(sessions) == 2
    assert len({pid for *_, pid, _ in sessions}) == 2, "each window is a process of its own"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_the_window_and_starts_no_other(bench: Bench, sent: int) -> None:
    bench.pace = {"batch_s": 1.0}
    driver = bench.begin("run", "--until-complete", "--window", "60s")
    until(bench.commits)
    driver.send_signal(sent)
    said, complaints = driver.communicate(timeout=300)
    assert driver.returncode == ExitCode.INCOMPLETE, complaints
    assert "remain" in said
    assert not bench.processes()
    assert 0 < bench.commits() < 6


def test_the_second_ctrl_c_leaves_at_once_and_leaves_nothing_running(bench: Bench) -> None:
    bench.inline = False
    bench.pace = {"batch_s": 0.0, "hangs": str(bench.run / "hangs")}
    driver = bench.begin("run", "--until-complete", "--unconfined=pinn")
    until((bench.run / "hangs").exists)
    driver.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        driver.wait(0.5)
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=300)
    assert driver.returncode == -signal.SIGINT
    assert not bench.processes()


def test_a_window_reads_from_no_terminal_and_does_not_survive_its_driver(bench: Bench) -> None:
    bench.pace = {"batch_s": 0.5}
    driver = bench.begin("run", "--until-complete")
    until(bench.commits)
    (window,) = (process for process in bench.processes() if process.pid != driver.pid)
    assert window.ppid() == driver.pid
    assert Path(f"/proc/{window.pid}/fd/0").resolve() == Path("/dev/null")
    driver.kill()
    driver.communicate()
    until(lambda: not bench.processes())


def test_a_comparison_drives_itself_and_begins_afresh_only_once(bench: Bench) -> None:
    words = [
        *[sys.executable, "-m", "ptyrun", "compare", "--new", "--until-complete"],
        *[f"--pinn_dir={bench.inputs / 'model'}", f"--test_data={bench.inputs / 'scan.npz'}"],
        *[f"--output_dir={bench.run}", "--n-test-groups=24", "--pinn-chunk-size=4"],
        *["--pinn-predict-batch-size=4", "--max-chunks=4"],
    ]
    done = subprocess.run(
        words, env=bench.environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(list(bench.run.parent.glob("run.until-*"))) == 1
    assert len(list((bench.run / "ledger").glob("*.jsonl"))) == 2

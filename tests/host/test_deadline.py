"""Does a process end in time, whatever it does? Ages are measured from outside."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.cli.commands import cli
from ptyrun.cli.main import window_of
from ptyrun.errors import ExitCode

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the timer is Linux's")

# One regular expression that takes hours, in C, with the interpreter's lock held.
BUSY_IN_C = "import re; re.match('(a+)+b', 'a' * 60)"
ARMED = """
import sys
from ptyrun.host.deadline import DEADLINE
DEADLINE.enable()
DEADLINE.set_window(float(sys.argv[1]))
"""


def age_and_code(program: str, *words: str) -> tuple[float, int]:
    began_s = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program, *words], timeout=300, check=False)
    return time.monotonic() - began_s, done.returncode


def test_a_process_whose_lock_is_held_by_c_code_ends_with_its_window() -> None:
    age_s, code = age_and_code(ARMED + BUSY_IN_C, "1")
    assert code == ExitCode.INCOMPLETE
    assert 1 <= age_s < 20, "it would have taken hours"


def test_a_window_that_is_over_already_ends_at_once() -> None:
    _, code = age_and_code("import time; time.sleep(0.3)" + ARMED + BUSY_IN_C, "-1")
    assert code == ExitCode.INCOMPLETE


def test_the_exit_code_can_be_chosen_and_the_end_called_off() -> None:
    _, code = age_and_code(ARMED + "DEADLINE.end_with(1)\n" + BUSY_IN_C, "0.3")
    assert code == ExitCode.FAILED
    _, code = age_and_code(ARMED + "DEADLINE.set_window(None)\nimport time; time.sleep(2.5)", "0.3")
    assert code == 0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (75, "ptyrun: time is over in the middle of the work: what was in hand is dropped, what is "
             "done stays; run the same command again to go on\n"),
        (1, "ptyrun: time is over in the middle of the work: what was in hand is dropped, what is "
            "done stays\n"),
    ],
)  # fmt: skip
def test_a_process_that_is_ended_says_so(code: int, words: str) -> None:
    program = f"{ARMED}DEADLINE.end_with({code})\n{BUSY_IN_C}"
    done = subprocess.run(
        [sys.executable, "-c", program, "0.3"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, words)


# As at the end of Python, which lets go of all that is its own; something else uses that memory.
LETTING_GO = """
import gc, sys, time
from ptyrun.host.deadline import DEADLINE
DEADLINE.enable()
DEADLINE.within(3.0)
DEADLINE.set_mark(sys.argv[1])
del DEADLINE
for name in [name for name in sys.modules if name.startswith("ptyrun")]:
    del sys.modules[name]
gc.collect()
held = [bytes([65 + n % 26]) * n for n in range(1, 400) for _ in range(500)]
time.sleep(600)
"""


def test_an_end_while_python_lets_go_of_all_is_told_in_whole_words(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.touch()
    ended = subprocess.run(
        [sys.executable, "-c", LETTING_GO, str(mark)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == ExitCode.INCOMPLETE
    assert ended.stderr.startswith("ptyrun: time is over in the middle of the work")
    assert not mark.exists()


def test_words_that_nobody_takes_do_not_put_the_end_off() -> None:
    fill = "import os\nos.set_blocking(2, False)\ntry:\n while True: os.write(2, b'x' * 4096)\n"
    fill += "except BlockingIOError: os.set_blocking(2, True)\n"
    child = subprocess.Popen(
        [sys.executable, "-c", f"{ARMED}{fill}{BUSY_IN_C}", "0.3"], stderr=subprocess.PIPE
    )
    try:
        assert child.wait(timeout=300) == ExitCode.INCOMPLETE
    finally:
        child.communicate()


def test_an_end_in_good_order_is_not_spoken_of() -> None:
    program = f"{ARMED}DEADLINE.set_window(None)\nimport time; time.sleep(2.5)"
    done = subprocess.run(
        [sys.executable, "-c", program, "0.3"], capture_output=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_end_can_be_brought_forward() -> None:
    program = ARMED + "assert DEADLINE.within(0.2)\nassert DEADLINE.within(9000)\n" + BUSY_IN_C
    assert age_and_code(program, "9000")[1] == ExitCode.INCOMPLETE


@pytest.mark.parametrize(("window", "is_left"), [("0.3", False), ("9000", True)])
def test_the_mark_tells_an_end_at_the_deadline_from_a_kill(
    tmp_path: Path, window: str, is_left: bool
) -> None:
    mark = tmp_path / "mark"
    mark.touch()
    wait = "import os; os.kill(os.getpid(), 9)" if is_left else BUSY_IN_C
    age_and_code(f"{ARMED}DEADLINE.set_mark({str(mark)!r})\n{wait}", window)
    assert mark.exists() == is_left


def test_of_two_sessions_in_one_window_the_last_ones_mark_counts(tmp_path: Path) -> None:
    marks = [tmp_path / "first", tmp_path / "second"]
    for mark in marks:
        mark.touch()
    set_both = "".join(f"DEADLINE.set_mark({str(mark)!r})\n" for mark in marks)
    age_and_code(f"{ARMED}{set_both}{BUSY_IN_C}", "0.3")
    assert [mark.exists() for mark in marks] == [True, False]


def test_a_library_does_not_end_the_process_that_uses_it() -> None:
    program = (
        "from ptyrun.engine.window import Window\n"
        "from ptyrun.host.deadline import DEADLINE\n"
        "window = Window(0.01); DEADLINE.set_window(0.01)\n"
        "import time; time.sleep(2)"
    )
    assert age_and_code(program)[1] == 0


def test_a_command_ends_with_its_window_while_it_is_importing(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text(BUSY_IN_C)  # what every comparison imports
    scan = tmp_path / "scan.npz"
    scan.touch()
    began_s = time.monotonic()
    done = subprocess.run(
        [
            *[sys.executable, "-m", "ptyrun", "compare", "--window", "2s", f"--test_data={scan}"],
            *[f"--output_dir={tmp_path / 'run'}", f"--arm=name=a,path={scan}"],
        ],
        env={"PYTHONPATH": str(tmp_path)},
        timeout=300,
        check=False,
    )
    assert done.returncode == ExitCode.INCOMPLETE
    assert time.monotonic() - began_s >= 2


WORDS = st.lists(
    st.sampled_from(
        [
            *["--window", "--window=7s", "20s", "1m30s", "RUN", "--lock-cpu", "--max-chunks", "3"],
            *["--only-arm", "--arm", "--until-complete", "--window=", "--windows", "=5s", "--"],
        ]
    ),
    max_size=7,
)


@given(WORDS)
def test_the_window_that_is_armed_is_the_one_that_is_read(words: list[str]) -> None:
    command = cli.get_command(None, "run")  # type: ignore[arg-type]
    assert command is not None
    try:
        with command.make_context("run", [*words]) as context:
            read = context.params
    except Exception:
        return
    arms = [*read["only_arm"], *read["former_arms"]]
    if "--" in arms or "--window" in (*arms, str(read["run_dir"])):
        return  # a value that looks like an option: put right once it is read
    assert window_of(["run", *words])[0] == (None if read["until_complete"] else read["window"])

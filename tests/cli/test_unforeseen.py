"""What does a person see of an error that nothing explains?"""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ptyrun.cli.debug import take_word
from ptyrun.logs import session_log
from ptyrun.stages import status
from tests.stages import finished_run
from tests.studies import ptyrun


@pytest.fixture
def run(tmp_path: Path) -> str:
    return str(finished_run.write(tmp_path / "run").root)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory ran out"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (KeyError("x\x1b[2J"), "KeyError"),
    ],
)
def test_it_is_three_lines_like_any_other(
    run: str, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def raises(*_: object) -> None:
        raise error

    monkeypatch.setattr(status, "status", raises)
    done = ptyrun("status", run)
    assert done.returncode == 1
    first, why, do = done.stderr.rstrip("\n").split("\n")
    assert first.startswith(f"error: {said}")
    assert why.startswith("  why: ")
    assert do.startswith("  do:  ")
    assert ("a defect of ptyrun" in why) != isinstance(error, MemoryError)
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr
    file = Path(do.partition("the traceback is in ")[2].partition(";")[0])
    written = file.read_text()
    assert "Traceback (most recent call last)" in written
    assert type(error).__name__ in written
    assert "\x1b" not in written
    assert file.stat().st_mode & 0o777 == 0o600
    file.unlink()
    monkeypatch.setenv("PTYRUN_DEBUG", "1")
    assert "Traceback (most recent call last)" in ptyrun("status", run).stderr


def test_where_no_file_can_be_left_it_says_how_to_see_the_traceback(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def raises_another(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(status, "status", raises_another)
    monkeypatch.setattr("tempfile.mkstemp", raises)
    done = ptyrun("status", run)
    assert done.returncode == 1
    assert "run it again with --debug" in done.stderr


# The whole process, with a command line that is broken before any command begins.
BROKEN = """
import sys
from ptyrun.cli import main
def broken(words):
    raise {error}
main._count_attempts = broken
main.main()
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("RuntimeError('x\\x1b[2J')", "error: RuntimeError: x\\x1b[2J"),
        ("MemoryError", "memory ran out"),
    ],
)
@pytest.mark.parametrize("word", [(), ("--debug",)])
def test_what_goes_wrong_before_any_command_is_three_lines_too(
    error: str, said: str, word: tuple[str, ...], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BROKEN.format(error=error), "status", "RUN", *word],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert ("Traceback" in done.stderr) == bool(word)
    assert len(list(tmp_path.glob("ptyrun-traceback-*"))) == (not word)


def test_the_word_is_taken_wherever_it_stands_but_behind_two_dashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PTYRUN_DEBUG", "")
    assert take_word(["export", "--", "--debug"]) == ["export", "--", "--debug"]
    assert os.environ["PTYRUN_DEBUG"] == ""
    assert take_word(["status", "--debug", "RUN"]) == ["status", "RUN"]
    assert os.environ["PTYRUN_DEBUG"] == "1", "for the processes that it starts as well"


def test_the_runs_log_holds_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(KeyError), session_log(tmp_path) as path:
        raise KeyError("lost")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert "KeyError: 'lost'" in lines[-1]["traceback"]


def test_a_log_says_names_as_they_are_and_cannot_rule_a_terminal(tmp_path: Path) -> None:
    message = "größe \x9b2J \u202e \u200b"
    with session_log(tmp_path) as path:
        logging.getLogger("ptyrun").info(message)
    text = path.read_text()
    assert "größe" in text
    assert not {"\x9b", "\u202e", "\u200b"} & set(text)
    assert json.loads(text)["message"] == message


def test_a_refusal_of_the_system_is_no_mistake_of_ptyrun_even_if_it_names_no_file(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(status, "status", raises)
    done = ptyrun("status", run)
    assert done.returncode == 1
    assert "cannot use a file that was open" in done.stderr
    assert "the disk reports an input/output error" in done.stderr
    assert "mistake" not in done.stderr

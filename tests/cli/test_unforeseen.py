"""What does a person see of an error that nothing explains?"""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

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
    assert "\x1b" not in done.stderr
    monkeypatch.setenv("PTYRUN_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in ptyrun("status", run).stderr


def test_the_runs_log_holds_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(KeyError), session_log(tmp_path) as path:
        raise KeyError("lost")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert "KeyError: 'lost'" in lines[-1]["traceback"]


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

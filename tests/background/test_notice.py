"""Does the user's own command hear how a tracked session ended?"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from pathlib import Path

import psutil
import pytest

from ptyrun.background import notice
from tests.paced import Bench

PATIENCE_S = 300
SAY = "import json, os, sys; open(sys.argv[1], 'w').write(json.dumps(dict(os.environ)))"


def saying(path: Path) -> str:
    """A line for a shell that writes down what it is told."""
    return shlex.join([sys.executable, "-c", SAY, str(path)])


def heard(path: Path) -> dict[str, str]:
    """What it was told, as soon as it was."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        if path.exists() and (text := path.read_text()):
            return {k: v for k, v in json.loads(text).items() if k.startswith("PTYRUN_")}
        time.sleep(0.05)
    raise AssertionError("the command was not run")


@pytest.mark.slow
def test_a_session_that_completes_a_run_tells_the_command_so(bench: Bench, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    assert bench.do("start", "--notify-command", saying(told)).returncode == 0
    assert bench.do("wait").returncode == 0
    found = heard(told)
    assert (found["PTYRUN_STATE"], found["PTYRUN_EXIT_CODE"]) == ("complete", "0")
    assert Path(found["PTYRUN_RUN"]) == bench.run.resolve()
    assert found["PTYRUN_REASON"] == "complete, by its content"


@pytest.mark.slow
def test_a_session_that_fails_tells_the_command_so_and_keeps_its_exit_code(
    bench: Bench, tmp_path: Path
) -> None:
    told = tmp_path / "told.json"
    bench.pace["fails"] = "yes"
    line = f"{saying(told)}; exit 7"
    assert bench.do("start", "--notify-command", line).returncode == 0
    assert bench.do("wait").returncode == 1
    assert heard(told)["PTYRUN_STATE"] == "failed"


def test_a_command_that_hangs_is_killed_with_all_that_it_started() -> None:
    mark = f"PTYRUN_TEST_{os.getpid()}"
    line = "sleep 1000 & sh -c 'sleep 1000; true'; wait"
    assert notice._run(line, {**os.environ, mark: "1"}, 1.0) is None
    left_s = time.monotonic() + PATIENCE_S  # what was killed is gone a moment later
    while any(carries(process, mark) for process in psutil.process_iter()):
        assert time.monotonic() < left_s, "something of the command is still there"
        time.sleep(0.05)


def carries(process: psutil.Process, mark: str) -> bool:
    try:
        return mark in process.environ()
    except psutil.Error:
        return False


@pytest.mark.parametrize(
    ("line", "code"),
    [('test "$PTYRUN_RUN" = "a b/c\'d"', 0), ("exit 7", 7), ("/no/such/program", 127)],
)
def test_a_command_gets_blanks_and_quotes_as_they_are(line: str, code: int) -> None:
    assert notice._run(line, {**os.environ, "PTYRUN_RUN": "a b/c'd"}, PATIENCE_S) == code

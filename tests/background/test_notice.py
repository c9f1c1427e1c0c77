"""Does the user's own command hear how a tracked session ended?"""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import pytest

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

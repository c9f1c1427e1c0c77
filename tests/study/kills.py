"""How do tests kill a study at random, and let it end?"""

from __future__ import annotations

import random
import signal
import subprocess
import time

import pytest

from ptyrun.errors import ExitCode
from ptyrun.host.children import ptyrun_words

PATIENCE_S = 300


def kill_until_done(words: list[str], kills: int, seed: int) -> None:
    """Kill *kills* windows by SIGKILL at random moments, then let windows end it.

    A moment comes after so many stages were begun, not after so many seconds: a machine that gets
    faster meanwhile is not done before all kills are.
    """
    rng = random.Random(seed)
    while kills:
        begun, delay_s = rng.choice((0, 1, 2)), rng.uniform(0, 0.2)
        with subprocess.Popen(
            ptyrun_words("study", *words),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as session:
            assert session.stderr is not None
            while begun and (line := session.stderr.readline()):
                begun -= line.endswith(": begun\n")
            time.sleep(delay_s)
            session.kill()
        assert session.returncode != ExitCode.COMPLETE, f"it was complete with {kills} kills left"
        kills -= session.returncode == -signal.SIGKILL
    for _ in range(100):
        done = subprocess.run(
            ptyrun_words("study", *words),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        if done.returncode == ExitCode.COMPLETE:
            return
        if done.returncode == ExitCode.FAILED and "use --window" in done.stderr:
            words = _with_twice_the_window(words)  # too short for a machine as busy as this one
            continue
        assert done.returncode == ExitCode.INCOMPLETE, done.stderr
    pytest.fail("100 windows were not enough")


def _with_twice_the_window(words: list[str]) -> list[str]:
    at = words.index("--window") + 1
    return [*words[:at], f"{2 * float(words[at].removesuffix('s')):g}s", *words[at + 1 :]]

"""How do tests kill a study at random, and let it end?"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from ptyrun.errors import ExitCode
from ptyrun.host.children import ptyrun_words

PATIENCE_S = 300


def took_s(hub: Path) -> float:
    """How long a study took from its first file to its last; no less than is left to kills."""
    times_s = [path.stat().st_mtime for path in hub.rglob("*") if path.is_file()]
    return max(times_s) - min(times_s)


def kill_until_done(words: list[str], kills: int, longest_s: float, seed: int) -> None:
    """Kill *kills* windows by SIGKILL at random times, then let windows end it."""
    rng = random.Random(seed)
    while kills:
        process = subprocess.Popen(
            ptyrun_words("study", *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=rng.uniform(0.1, longest_s))
        except subprocess.TimeoutExpired:
            process.kill()
            kills -= 1
        assert process.wait() != ExitCode.COMPLETE, f"it was complete with {kills} kills left"
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
        assert done.returncode == ExitCode.INCOMPLETE, done.stderr
    pytest.fail("100 windows were not enough")

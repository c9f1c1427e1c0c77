"""How long does one wait for ``ptyrun --help``, and for ``ptyrun status`` on a large run?"""

from __future__ import annotations

import subprocess
import sys

from benchmarks import ledgers
from benchmarks.figures import Figure, Scale, in_turns, summed_up

HELP_AIM_S = 0.3
STATUS_AIM_S = 1.0
N_CHUNKS = 10_000


def call(*words: str) -> None:
    """Run one ptyrun command in a process of its own; raise when it fails."""
    subprocess.run(
        [sys.executable, "-P", "-m", "ptyrun", *words],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )


def measure(scale: Scale) -> list[Figure]:
    """Time whole processes, against a Python that does nothing."""
    run = scale.scratch / "run"
    ledgers.run_with_commits(run, N_CHUNKS, with_files=True)
    bare = [sys.executable, "-c", "pass"]
    seconds = in_turns(
        {
            "python": lambda: subprocess.run(bare, check=True),
            "help": lambda: call("--help"),
            "status": lambda: call("status", str(run)),
        },
        scale.rounds,
    )
    python_s = summed_up("python", seconds["python"], "s").value
    beside = f"a Python that does nothing: {python_s:.2f} s"
    status = f"ptyrun status, {N_CHUNKS:,} chunks"
    return [
        summed_up("ptyrun --help", seconds["help"], "s", HELP_AIM_S, beside),
        summed_up(status, seconds["status"], "s", STATUS_AIM_S),
    ]

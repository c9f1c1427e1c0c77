"""How long does one wait for ``ptyrun --help``, and for ``ptyrun status`` on a large run?"""

from __future__ import annotations

import subprocess
import sys

from ptyrun.bench.figures import Figure, Scale, in_turns, summed_up

HELP_AIM_S = 0.3


def call(*words: str) -> None:
    """Run one ptyrun command in a process of its own; raise when it fails."""
    subprocess.run(
        [sys.executable, "-m", "ptyrun", *words],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )


def measure(scale: Scale) -> list[Figure]:
    """Time whole processes, against a Python that does nothing."""
    bare = [sys.executable, "-c", "pass"]
    seconds = in_turns(
        {
            "python": lambda: subprocess.run(bare, check=True),
            "help": lambda: call("--help"),
        },
        scale.rounds,
    )
    python_s = summed_up("python", seconds["python"], "s").value
    return [
        summed_up(
            "ptyrun --help", seconds["help"], "s", HELP_AIM_S, f"bare python: {python_s:.2f} s"
        ),
    ]

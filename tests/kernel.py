"""What does the kernel know of a process?"""

from __future__ import annotations

import signal
import time
from pathlib import Path


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def wait_until_it_no_longer_catches(pid: int, number: signal.Signals) -> None:
    """Signals of one number that follow each other at once are one to the kernel."""
    deadline_s = time.monotonic() + 300
    while catches(pid, number):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)

"""Which processes did a test leave behind?

A session that goes on after its test takes the CPU, the locks and the signals of innocent tests.
"""

from __future__ import annotations

import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PROC = Path("/proc")
# Every process that a test starts inherits this, however it detaches itself.
MARK = "PTYRUN_TESTS_OF"
PATIENCE_S = 20.0  # for what is ending by itself, on a busy machine


@dataclass(frozen=True)
class Before:
    """The processes there were before a test."""

    pids: frozenset[int]
    mark: str

    @classmethod
    def now(cls) -> Before:
        """Look, and mark what is started from now on."""
        mark = os.environ.setdefault(MARK, secrets.token_hex(8))
        return cls(frozenset(_pids()), mark)

    def left_over(self) -> list[psutil.Process]:
        """Living processes that this one, or what it started, has started since."""
        new = [pid for pid in _pids() if pid not in self.pids and pid not in _servers()]
        return [found for pid in new if (found := self._ours(pid)) is not None]

    def _ours(self, pid: int) -> psutil.Process | None:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            marked = f"{MARK}={self.mark}\0".encode() in (PROC / f"{pid}/environ").read_bytes()
            # A copy of this very process (fork) has the environment that this one began with.
            if marked or any(parent.pid == os.getpid() for parent in process.parents()):
                return process
        return None

    def end(self) -> list[str]:
        """Kill what is left over and does not end by itself; name each by its command."""
        deadline_s = time.monotonic() + PATIENCE_S
        while (left := self.left_over()) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        named = []
        for process in left:
            with suppress(psutil.Error):
                named.append(f"{process.pid}: {' '.join(process.cmdline())[:300]}")
                process.kill()
        return named


def _pids() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdecimal()]


def _servers() -> set[int | None]:
    """Python's own helpers, begun by whichever test first forks through them, end with pytest."""
    return {
        getattr(multiprocessing.forkserver._forkserver, "_forkserver_pid", None),
        getattr(multiprocessing.resource_tracker._resource_tracker, "_pid", None),
    }

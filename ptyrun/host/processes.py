"""Which process is this, since when does it run, and does it still?

A process is named by host, boot, PID and start time, so that a reused PID, another host and a
reboot are told apart. Ages come from the boot clock: setting the wall clock does not change them.
"""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Self

from ptyrun.host.clock import boot_clock_s, started_s

_PROC = Path("/proc")


class Standing(Enum):
    """What became of a process."""

    ALIVE = "alive"
    GONE = "gone"
    REUSED = "its PID belongs to another process"
    REBOOTED = "its machine was started again"
    ELSEWHERE = "on another host or in another container"

    @property
    def is_over(self) -> bool:
        """Whether it certainly does no work any more."""
        return self in {Standing.GONE, Standing.REUSED, Standing.REBOOTED}


@dataclass(frozen=True)
class Process:
    """One process, for ever.

    ``started_s`` is on the clock of `boot_clock_s`.
    """

    host: str
    boot_id: str
    pid: int
    started_s: float

    @classmethod
    def current(cls) -> Self:
        """Name the process that asks."""
        pid = os.getpid()
        started = started_s(pid)
        return cls(
            socket.gethostname(),
            _boot_id(),
            pid,
            boot_clock_s() if started is None else started,
        )

    @property
    def host_slug(self) -> str:
        """The host's name as part of a file name."""
        return re.sub(r"[^A-Za-z0-9]+", "_", self.host)[:40] or "host"

    def age_s(self) -> float:
        """Seconds since the process began; only meaningful on its own host and boot."""
        return boot_clock_s() - self.started_s

    def is_here(self) -> bool:
        """Tell whether it ran on this host since its last boot."""
        return self.host == socket.gethostname() and self.boot_id == _boot_id()

    def standing(self, namespace: str | None = None) -> Standing:
        """Tell what became of it, as far as this host knows; a reused PID is another process.

        Parameters
        ----------
        namespace : str, optional
            In which its PID counts, as `pid_namespace` names it; by default this process's own.
        """
        if self.went_down_with_its_host():
            return Standing.REBOOTED
        if not self.is_here() or namespace not in (None, pid_namespace()):
            return Standing.ELSEWHERE
        began_s = started_s(self.pid)
        is_it = began_s is not None and abs(began_s - self.started_s) < 0.05
        return Standing.ALIVE if is_it else Standing.GONE

    def is_alive(self) -> bool:
        """Tell whether it still runs, on this host."""
        return self.standing() is Standing.ALIVE

    def is_stopped(self) -> bool:
        """Tell whether it was stopped (Ctrl-Z, SIGSTOP) and goes on only when it is told to."""
        with suppress(OSError, ValueError):
            stat = (_PROC / f"{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
            return self.is_alive() and stat[stat.rindex(")") + 2] in "Tt"
        return False

    def went_down_with_its_host(self) -> bool:
        """Tell whether this host was booted since: then no chunk is to blame for the end."""
        return self.host == socket.gethostname() and self.boot_id != _boot_id()


def n_cores() -> int:
    """Give the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil  # only where there is no /proc

        return f"{psutil.boot_time():.0f}"


def pid_namespace() -> str:
    """Name the namespace in which this process's PID counts; empty where there is none."""
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""

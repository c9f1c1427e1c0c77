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
from pathlib import Path
from typing import Self

from ptyrun.host.clock import boot_clock_s, started_s

_PROC = Path("/proc")


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

    def is_alive(self) -> bool:
        """Tell whether it still runs, on this host; a reused PID is another process."""
        if not self.is_here():
            return False
        began_s = started_s(self.pid)
        return began_s is not None and abs(began_s - self.started_s) < 0.05

    def is_stopped(self) -> bool:
        """Tell whether it was stopped (Ctrl-Z, SIGSTOP) and goes on only when it is told to."""
        with suppress(OSError, ValueError):
            stat = (_PROC / f"{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
            return self.is_alive() and stat[stat.rindex(")") + 2] in "Tt"
        return False

    def went_down_with_its_host(self) -> bool:
        """Tell whether this host was booted since: then no chunk is to blame for the end."""
        return self.host == socket.gethostname() and self.boot_id != _boot_id()


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

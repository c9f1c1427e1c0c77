"""Which process is this, since when does it run, and does it still?

A process is named by host, boot, PID and start time, so that a reused PID, another host and a
reboot are told apart. Ages come from the boot clock: setting the wall clock does not change them.
"""

from __future__ import annotations

import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ptyrun.engine.records import Opened

_PROC = Path("/proc")
_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def boot_clock_s() -> float:
    """Seconds since boot, sleep included; jumps never."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


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

    @classmethod
    def of(cls, opened: Opened) -> Self:
        """Name the process that opened a session."""
        return cls(opened.host, opened.boot_id, opened.pid, opened.process_started_s)

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

    def went_down_with_its_host(self) -> bool:
        """Tell whether this host was booted since: then no chunk is to blame for the end."""
        return self.host == socket.gethostname() and self.boot_id != _boot_id()


def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil  # only where there is no /proc

        return f"{psutil.boot_time():.0f}"


def started_s(pid: int) -> float | None:
    """Return when *pid* began, on the clock of `boot_clock_s`; None if no such process works."""
    try:
        stat = (_PROC / f"{pid}/stat").read_text()
    except FileNotFoundError:
        if (_PROC / "self/stat").exists():
            return None
        return _started_s_portably(pid)
    fields = stat[stat.rindex(")") + 2 :].split()
    if fields[0] in "ZX":  # a zombie does no work
        return None
    return float(fields[19]) / os.sysconf("SC_CLK_TCK")


def _started_s_portably(pid: int) -> float | None:
    import psutil  # only where there is no /proc

    try:
        age_s = time.time() - psutil.Process(pid).create_time()
    except psutil.Error:
        return None
    return boot_clock_s() - age_s

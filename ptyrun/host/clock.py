"""What time is it on this machine, and since when does a process run?

On the boot clock: setting the wall clock does not change it, and what a machine sleeps counts.
"""

from __future__ import annotations

import os
import time

PROC = "/proc"
_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def boot_clock_s() -> float:
    """Seconds since boot, sleep included; jumps never."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


def started_s(pid: int) -> float | None:
    """Return when *pid* began, on the clock of `boot_clock_s`; None if no such process works."""
    try:
        # Without pathlib, an import that the first moment of a process does without.
        with open(f"{PROC}/{pid}/stat", encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            stat = stream.read()
    except (FileNotFoundError, ProcessLookupError):
        if os.access(f"{PROC}/self/stat", os.F_OK):
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

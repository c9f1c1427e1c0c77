"""How much memory does a piece of work take at most? Asked in a process of its own."""

from __future__ import annotations

import multiprocessing
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
_STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """Peak resident memory of this process so far."""
    # Linux hands ru_maxrss on to a child's new program, so that it may be the parent's.
    if _STATUS.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())):
        return int(found[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT_BYTES / 2**20


def in_new_process(work: Callable[..., Any], *given: Any) -> tuple[float, float]:
    """Call *work* in a fresh process.

    Returns
    -------
    (float, float)
        Seconds that the call took, and the process's peak memory in MiB.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work, *given))


def _measured(work: Callable[..., Any], *given: Any) -> tuple[float, float]:
    start = time.perf_counter()
    work(*given)
    return time.perf_counter() - start, peak_mib()

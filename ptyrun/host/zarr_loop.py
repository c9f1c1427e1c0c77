"""When does the thread end that Zarr reads and writes with? Before Zarr's exit handler looks."""

from __future__ import annotations

import atexit
from functools import cache

from zarr.core import sync

PATIENCE_S = 30.0


@cache
def end_at_exit() -> None:
    """Wait for that thread when the process ends.

    Zarr gives it 0.2 s; on a busy machine that is too short, and what Zarr then does is a traceback
    on stderr. Exit handlers run last in, first out: this one comes before Zarr's.
    """
    atexit.register(_end)


def _end() -> None:
    loop, thread = sync.loop[0], sync.iothread[0]
    if loop is not None and thread is not None and thread.is_alive():
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)

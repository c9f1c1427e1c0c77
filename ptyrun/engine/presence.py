"""Does anybody work on this run now?

Asked before a run's plan is replaced: a session that still works on the old one would write its
chunks over those of the new one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ptyrun.engine.claims import LEASE, LEASE_S, LOCK
from ptyrun.engine.processes import Process
from ptyrun.engine.records import BadLineError, Closed, Opened, Record, decode
from ptyrun.engine.session import SUFFIX
from ptyrun.errors import BusyError
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT, Watcher

PATIENCE_S = 10.0  # a session that ends, or finds that it came too late, is gone within that
POLL_S = 0.1
_LONGEST_CLOSING_BYTES = 2**16


def insist_on_nobody(paths: RunPaths, patience_s: float = 0.0, watcher: Watcher = SILENT) -> None:
    """See that no session works on a run, or starts to: its end may be waited for.

    Raises
    ------
    BusyError
        If one does after *patience_s*; the error names its process.
    """
    until_s = time.monotonic() + patience_s
    told = False
    while (opened := _at_work(paths)) is not None:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise BusyError(
                f"a session is at work on {paths.root}",
                why=f"process {opened.pid} on {opened.host}, since {opened.opened_at}; what it "
                "still writes belongs to the old plan",
                do="wait for its end, or end it with a signal or `ptyrun stop`; then call this "
                "again",
            )
        if not told:
            watcher.note(
                f"process {opened.pid} on {opened.host} works on {paths.root}: its end is waited "
                f"for, at most {patience_s:.0f} s"
            )
            told = True
        time.sleep(min(POLL_S, left_s))


def _at_work(paths: RunPaths) -> Opened | None:
    for session, opened in _unclosed(paths):
        if _is_at_work(paths, session, opened):
            return opened
    return None


def _is_at_work(paths: RunPaths, session: str, opened: Opened) -> bool:
    return (
        Process.of(opened).is_alive()
        or _holds_its_lock(paths.claims / f"{session}{LOCK}")
        or _holds_a_fresh_lease(paths.claims / f"{session}{LEASE}")
    )


def _unclosed(paths: RunPaths) -> Iterator[tuple[str, Opened]]:
    for path in sorted(paths.ledger.glob(f"*{SUFFIX}")) if paths.ledger.is_dir() else []:
        first, last = _ends(path)
        if isinstance(first, Opened) and not isinstance(last, Closed):
            yield path.stem, first


def _ends(path: Path) -> tuple[Record | None, Record | None]:
    """First and last whole line of a session's file."""
    with path.open("rb") as stream:
        first = stream.readline()
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LONGEST_CLOSING_BYTES))
        lines = stream.read().split(b"\n")[:-1]
    return _decoded(first.rstrip(b"\n")), _decoded(lines[-1] if lines else b"")


def _decoded(line: bytes) -> Record | None:
    try:
        return decode(line)
    except BadLineError:
        return None


def _holds_its_lock(path: Path) -> bool:
    """Tell whether the kernel knows a holder, be it one in another container of this host."""
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _holds_a_fresh_lease(path: Path) -> bool:
    """Tell whether a session on another host gave a sign of life of late."""
    try:
        touched_s = path.stat().st_mtime
    except OSError:
        return False
    return abs(time.time() - touched_s) < LEASE_S

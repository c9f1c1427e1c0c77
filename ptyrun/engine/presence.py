"""Does anybody work on this run now?

Asked before a run's plan is replaced: a session that still works on the old one would write its
chunks over those of the new one.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ptyrun.engine.claims import LEASE, LOCK
from ptyrun.engine.ledger import session_files
from ptyrun.engine.long_lines import lines_of
from ptyrun.engine.records import BadLineError, Closed, NewerLineError, Opened, Record, decode
from ptyrun.errors import BusyError
from ptyrun.host import durable
from ptyrun.host.children import ancestor_of
from ptyrun.host.heartbeat import SILENT_S, Sight
from ptyrun.host.locks import Lock, exclude, watch
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT, Watcher

PATIENCE_S = 10.0  # a session that ends, or finds that it came too late, is gone within that
POLL_S = 0.1
_LONGEST_CLOSING_BYTES = 2**16


def require_no_active_session(
    paths: RunPaths, patience_s: float = 0.0, watcher: Watcher = SILENT
) -> None:
    """See that no session works on a run, or starts to: its end may be waited for.

    A session out of sight, on another host, is watched until it is known whether it lives.

    Raises
    ------
    BusyError
        If one does after *patience_s*; the error names its process.
    NewerError
        If a newer ptyrun wrote a session: whether it is over is not known here.
    """
    until_s = time.monotonic() + patience_s
    told = False
    looks: dict[str, list[Callable[[], Sight]]] = {}
    while (found := _at_work(paths, looks)) is not None:
        opened, sight = found
        left_s = until_s - time.monotonic()
        if left_s <= 0 and sight is Sight.HELD:
            raise BusyError(
                f"a session works on {paths.root}",
                why=f"process {opened.pid} on {opened.host}, since {opened.opened_at}; what it "
                "writes belongs to the old plan",
                do=f"wait until it ends, or {_how_to_end(paths, opened)}; then give this command "
                "again",
            )
        if not told and patience_s > 0:
            watcher.note(
                f"process {opened.pid} on {opened.host} works on {paths.root}: waiting for its "
                f"end, at most {patience_s:.0f} s"
            )
            told = True
        time.sleep(POLL_S)


def process_at_work(paths: RunPaths) -> Opened | None:
    """Find a session that works on a run in sight of this host; it may be in the background."""
    at_work = (opened for _, opened in _unclosed(paths) if opened.process.is_alive())
    return next(at_work, None)


def command_of(opened: Opened) -> int:
    """Give the PID of the command that a session in the foreground belongs to."""
    return ancestor_of(opened.pid) if opened.process.is_alive() else opened.pid


def how_to_end_in_foreground(opened: Opened) -> str:
    """Say how a session is ended that `ptyrun stop` knows nothing of."""
    there = "" if opened.process.is_here() else f" on {opened.host}"
    return f"end it with Ctrl-C in its terminal or `kill {command_of(opened)}`{there}"


def is_in_background(paths: RunPaths) -> bool:
    """Tell whether a background session works on a run, be it that it only loads."""
    return watch(paths.process_lock)() is Sight.HELD


def _how_to_end(paths: RunPaths, opened: Opened) -> str:
    if is_in_background(paths):
        return f"end it with `ptyrun stop {shlex.quote(str(paths.root))}`"
    return how_to_end_in_foreground(opened)


@contextmanager
def no_background_session(
    paths: RunPaths, patience_s: float = 0.0, watcher: Watcher = SILENT
) -> Iterator[None]:
    """Let none work on a run, or start to, meanwhile: one may compute nothing yet.

    Raises
    ------
    BusyError
        If one does after *patience_s*; the error names its process.
    """
    with Lock(paths.process_lock, say=watcher.warn) as lock:
        exclude(lock, f"works on {paths.root} in the background", wait_s=patience_s)
        yield


def _at_work(
    paths: RunPaths, looks: dict[str, list[Callable[[], Sight]]]
) -> tuple[Opened, Sight] | None:
    """Find a session that works, else one of which that is not decided yet."""
    undecided = None
    for session, opened in _unclosed(paths):
        if opened.process.is_alive():
            return opened, Sight.HELD
        if session not in looks:
            looks[session] = _looks(paths, session)
        sights = {look() for look in looks[session]}
        if Sight.HELD in sights:
            return opened, Sight.HELD
        if Sight.UNDECIDED in sights:
            undecided = opened, Sight.UNDECIDED
    return undecided


def _looks(paths: RunPaths, session: str) -> list[Callable[[], Sight]]:
    """What tells whether a session out of sight lives: its lock, its lease."""
    return [
        watch(paths.claims / f"{session}{LOCK}", silent_s=SILENT_S),
        watch(paths.claims / f"{session}{LEASE}", everywhere=True, silent_s=SILENT_S),
    ]


def _unclosed(paths: RunPaths) -> Iterator[tuple[str, Opened]]:
    for path in session_files(paths):
        first, last = _ends(path)
        if isinstance(first, Opened) and not isinstance(last, Closed):
            yield path.stem, first


def _ends(path: Path) -> tuple[Record | None, Record | None]:
    """First and last whole line of a session's file."""
    with durable.storage_errors(path, "read"), path.open("rb") as stream:
        first = next(lines_of(stream, path), b"")
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LONGEST_CLOSING_BYTES))
        lines = stream.read().split(b"\n")[:-1]
    last = lines[-1] if lines else b""
    return _decoded(first.rstrip(b"\n"), path.stem), _decoded(last, path.stem)


def _decoded(line: bytes, session: str) -> Record | None:
    try:
        return decode(line)
    except NewerLineError as error:
        raise error.of(session) from error
    except BadLineError:
        return None

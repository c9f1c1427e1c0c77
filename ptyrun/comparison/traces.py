"""What does a refused command leave behind? Nothing: neither a folder nor a cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ptyrun.engine import plan_lock
from ptyrun.errors import (
    ClosedWhileWaitingError,
    StorageError,
    WindowClosedError,
    WindowTooShortError,
)
from ptyrun.host import listing, partials, trees
from ptyrun.host.locks import Lock
from ptyrun.paths import RunPaths

_GOES_ON = (ClosedWhileWaitingError, WindowClosedError, WindowTooShortError)


@contextmanager
def none_if_refused(paths: RunPaths, *others: Path) -> Iterator[None]:
    """Take back what was made for a plan that does not come about, if the work in here raises.

    A signal or the end of a window takes nothing back: the next call goes on with it.
    """
    was_there = {path for path in (paths.cache, paths.planning, paths.claims) if _may_exist(path)}
    missing = [
        folder
        for root in (paths.root, *others)
        for folder in (root, *root.parents)
        if not _may_exist(folder)
    ]
    try:
        yield
    except _GOES_ON:
        raise
    except Exception:
        _take_back(paths, was_there)
        for folder in missing:
            with suppress(OSError):  # others put something into it
                folder.rmdir()
        raise


def _may_exist(path: Path) -> bool:
    """Where the disk does not tell, nothing is taken back."""
    try:
        return path.exists()
    except OSError:
        return True


def _take_back(paths: RunPaths, was_there: set[Path]) -> None:
    is_planned = _may_exist(paths.manifest) or _may_exist(paths.ledger)
    goes = {paths.planning} if is_planned else {paths.planning, paths.cache, paths.claims}
    goes -= was_there
    # Who plans here at this moment keeps what it needs.
    with suppress(StorageError), Lock(paths.claims / plan_lock.LOCK) as lock:
        if _may_exist(paths.claims) and not lock.try_acquire():
            return
        for folder in goes - {paths.claims}:
            trees.discard(folder)
        if paths.claims in goes:
            _empty(paths.claims, lock.path)
    if paths.claims in goes:
        with suppress(OSError):  # who waited for the lock has made another one
            paths.claims.rmdir()


def _empty(claims: Path, held: Path) -> None:
    """Delete what lies there, the lock that is held last: a new one is another process's."""
    for entry in listing.entries(claims):
        if not entry.name.startswith(held.name):
            with suppress(OSError):
                partials.remove(claims / entry.name)
    with suppress(OSError):
        held.unlink()

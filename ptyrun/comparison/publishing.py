"""How do results take the place of earlier ones, and who puts them there?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from ptyrun.comparison import artifacts
from ptyrun.engine.publication import Publication
from ptyrun.engine.window import Window
from ptyrun.errors import ClosedWhileWaitingError, StorageError
from ptyrun.host import checksums, durable, locks
from ptyrun.host.locks import Lock, exclude
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher
from ptyrun.texts import printable

HALF_MOVED = "complete, but not all in place: a process was ended while it moved these files"
FINALIZE, PREVIEW = "finalize", "preview"  # who makes results or the report, or a preview


def results(paths: RunPaths) -> Publication:
    """What ``finalize`` makes, in the run's folder."""
    return Publication(paths.unpublished, "results", paths.root, partial(artifacts.obsolete, paths))


def report(paths: RunPaths) -> Publication:
    """What ``report`` makes, in a folder of its own."""
    return Publication(paths.unpublished, "report", paths.report)


def preview(paths: RunPaths) -> Publication:
    """What ``preview`` makes, in a folder of its own."""
    return Publication(paths.unpublished, PREVIEW, paths.preview)


def _is_half_moved(paths: RunPaths, publication: Publication) -> bool:
    """Whether a process was ended, or stopped, while it moved a set of files into place.

    One that moves it now is waited for.
    """
    lock = _lock(paths, publication)
    stopped_since_s = math.inf
    while publication.is_pending:
        # Both looks: one may end, and another one begin, between.
        if not locks.is_held(lock) and publication.is_pending and not locks.is_held(lock):
            return True
        holder = locks.holder_of(lock)
        is_stopped = holder is not None and holder.is_stopped
        stopped_since_s = min(stopped_since_s, time.monotonic()) if is_stopped else math.inf
        if time.monotonic() - stopped_since_s >= locks.STOPPED_S:
            return True
        time.sleep(locks.POLL_S)
    return False


def settle(paths: RunPaths, publication: Publication) -> None:
    """Move into place what an ended process left half moved; one that moves it now is waited for.

    Raises
    ------
    BusyError
        If that one is stopped; the error names it.
    """
    if not publication.is_pending:
        return
    durable.make_folder(paths.claims)
    with suppress(ClosedWhileWaitingError), Lock(_lock(paths, publication)) as lock:
        exclude(
            lock,
            f"moves this run's {publication.name} into place",
            is_closing=lambda: not publication.is_pending,
        )
        publication.settle()


def problems(
    paths: RunPaths,
    publication: Publication,
    look: Callable[[Path], Iterable[tuple[str, str]]] = checksums.problems,
    *,
    is_alone: bool = False,
) -> list[tuple[str, str]] | None:
    """Say what is wrong with a set of files, although none of them is just being replaced.

    Parameters
    ----------
    look : callable
        Gives what is wrong with the files in a folder.
    is_alone : bool
        Whether the caller sees to it that nobody makes a set meanwhile.

    Returns
    -------
    list of (str, str) or None
        Path below the set's folder and what is wrong; None if an ended process left the set half
        moved.
    """
    if is_alone:
        return None if publication.is_pending else [*look(publication.target)]
    while not _is_half_moved(paths, publication):
        before = _identity(publication.target)
        found = [*look(publication.target)]
        if not found or (not publication.is_pending and _identity(publication.target) == before):
            return found
    return None


def problems_seen(paths: RunPaths, publication: Publication) -> list[tuple[str, str]]:
    """As `problems`, where a set that is half moved is one of them."""
    found = problems(paths, publication)
    return [(checksums.NAME, HALF_MOVED)] if found is None else found


def _identity(folder: Path) -> tuple[int, ...] | None:
    """Which list vouches for a folder's files; it is the last that is moved."""
    with suppress(OSError):
        found = (folder / checksums.NAME).stat()
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
    return None


def _lock(paths: RunPaths, publication: Publication) -> Path:
    name = PREVIEW if publication.name == PREVIEW else FINALIZE
    return paths.claims / f"{name}.lock"


@contextmanager
def elsewhere(folder: Path) -> Iterator[None]:
    """Say of a run that cannot be written to that it can be looked at nevertheless.

    Parameters
    ----------
    folder : Path
        What cannot be written then, whichever of its locks and files is refused first.
    """
    try:
        yield
    except StorageError as error:
        hinted = error.with_hint("or write to another folder with --output")
        what = f"{printable(str(folder))} cannot be written"
        raise type(error)(what, hinted.why, *hinted.args[2:]) from error


@contextmanager
def alone(
    paths: RunPaths, watcher: Watcher, window: Window | None = None, *, name: str = FINALIZE
) -> Iterator[None]:
    """Make results with no other process doing so; others are waited for, within the window.

    Who makes something else, by its *name*, is not waited for.

    Raises
    ------
    BusyError, ClosedWhileWaitingError
        As `exclude` does.
    """
    durable.make_folder(paths.claims)
    window = window or Window()
    with Lock(paths.claims / f"{name}.lock", say=watcher.warn) as lock:
        exclude(
            lock,
            f"makes this run's {'results' if name == FINALIZE else name}",
            is_closing=lambda: window.remaining_s <= 0,
            note=watcher.note,
        )
        yield


@contextmanager
def undisturbed(paths: RunPaths, watcher: Watcher) -> Iterator[None]:
    """Let no process make results, a report or a preview meanwhile; who does is waited for."""
    with alone(paths, watcher), alone(paths, watcher, name=PREVIEW):
        yield

"""How do results take the place of earlier ones, and who puts them there?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ptyrun.comparison import artifacts
from ptyrun.engine.publication import Publication
from ptyrun.engine.window import Window
from ptyrun.errors import StorageError
from ptyrun.host import durable
from ptyrun.host.locks import Lock, exclude
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher
from ptyrun.texts import printable


def results(paths: RunPaths) -> Publication:
    """What ``finalize`` makes, in the run's folder."""
    return Publication(paths.unpublished, "results", paths.root, partial(artifacts.obsolete, paths))


def report(paths: RunPaths) -> Publication:
    """What ``report`` makes, in a folder of its own."""
    return Publication(paths.unpublished, "report", paths.report)


def preview(paths: RunPaths) -> Publication:
    """What ``preview`` makes, in a folder of its own."""
    return Publication(paths.unpublished, "preview", paths.preview)


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
    paths: RunPaths, watcher: Watcher, window: Window | None = None, *, name: str = "finalize"
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
            f"makes this run's {'results' if name == 'finalize' else name}",
            is_closing=lambda: window.remaining_s <= 0,
            note=watcher.note,
        )
        yield

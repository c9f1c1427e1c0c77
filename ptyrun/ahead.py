"""What can be got ready while a network computes, when Python has next to nothing to do?"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread

from ptyrun.progress import Watcher


class ImportsAhead:
    """A watcher that passes everything on, and imports modules when a task advances first.

    Parameters
    ----------
    watcher : Watcher
        Is told everything.
    task : str
        The task that leaves Python idle.
    modules : sequence of str
        What comes after it. An error is left to whoever imports them in earnest.
    """

    def __init__(self, watcher: Watcher, task: str, modules: Sequence[str]) -> None:
        self._watcher = watcher
        self._task = task
        self._left = list(modules)

    def begin(self, task: str, total: int, done: int = 0, unit: str = "groups") -> None:
        """Say that *task* starts, with *done* of *total* units behind it."""
        self._watcher.begin(task, total, done, unit)

    def advance(self, task: str, count: int) -> None:
        """Say that *count* more units of *task* are done."""
        self._watcher.advance(task, count)
        if count and task == self._task and self._left:
            modules, self._left = self._left, []
            Thread(target=_import, args=(modules,), name="ptyrun-imports").start()

    def end(self, task: str) -> None:
        """Say that *task* is over, finished or not."""
        self._watcher.end(task)

    def note(self, text: str) -> None:
        """Say something that a person should read."""
        self._watcher.note(text)

    def warn(self, text: str) -> None:
        """Say something that a person must not miss."""
        self._watcher.warn(text)


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        with suppress(ImportError):
            importlib.import_module(module)

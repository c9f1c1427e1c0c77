"""How does who works in Python or in a notebook see progress?"""

from __future__ import annotations

import html
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ptyrun.engine.window import counted_from_now
from ptyrun.progress import Silent, Watcher

log = logging.getLogger("ptyrun")
_SCREEN: ContextVar[Watcher | None] = ContextVar("screen", default=None)

_EVERY_S = 0.2  # a page that is drawn at each step takes longer than the step


class Logged(Silent):
    """Says nothing of progress; notes and warnings go to the logger ``ptyrun``."""

    def note(self, text: str) -> None:
        """Log it."""
        log.info(text)

    def warn(self, text: str) -> None:
        """Log it as a warning, which Python shows where nothing else was chosen."""
        log.warning(text)


class Bars(Logged):
    """One bar for each task, in the output of a notebook's cell.

    Parameters
    ----------
    display : callable
        ``IPython.display.display``, or what takes its place.
    """

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None
        self._tasks: dict[str, tuple[int, int, str]] = {}  # done, total, unit
        self._drawn_s = 0.0

    def begin(self, task: str, total: int, done: int = 0, unit: str = "groups") -> None:
        """Show a bar."""
        self._tasks[task] = (done, total, unit)
        self._draw()

    def advance(self, task: str, count: int) -> None:
        """Move the bar."""
        done, total, unit = self._tasks[task]
        self._tasks[task] = (done + count, total, unit)
        if time.monotonic() - self._drawn_s >= _EVERY_S:
            self._draw()

    def end(self, task: str) -> None:
        """Let the bar stand."""
        if task in self._tasks:
            self._draw()

    def _draw(self) -> None:
        self._drawn_s = time.monotonic()
        if self._handle is None:
            self._handle = self._display(self, display_id=True)
        else:
            self._handle.update(self)

    def _repr_html_(self) -> str:
        rows = (
            f"<tr><td>{html.escape(task)}</td>"
            f'<td><progress value="{done}" max="{max(total, 1)}"></progress></td>'
            f"<td>{done} of {total} {html.escape(unit)}</td></tr>"
            for task, (done, total, unit) in self._tasks.items()
        )
        return f"<table>{''.join(rows)}</table>"

    def __repr__(self) -> str:
        return "\n".join(
            f"{task}: {done} of {total} {unit}" for task, (done, total, unit) in self._tasks.items()
        )


@contextmanager
def from_the_line(screen: Watcher) -> Iterator[None]:
    """Let calls show progress there, and count their windows from process start."""
    before = _SCREEN.set(screen)
    try:
        yield
    finally:
        _SCREEN.reset(before)


@contextmanager
def call() -> Iterator[Watcher]:
    """Give who is told of the progress of one call, from which windows count."""
    if (screen := _SCREEN.get()) is not None:
        yield screen
        return
    with counted_from_now():
        yield watcher()


def watcher() -> Watcher:
    """Give bars within a notebook, else what goes to the log."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return Logged()
    from IPython.display import display

    return Bars(display)

"""How does work that takes longer than a few seconds say how far it is?"""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Somebody who is told of progress: a console, a log, or nobody."""

    def begin(self, task: str, total: int, done: int = 0, unit: str = "groups") -> None:
        """Say that *task* starts, with *done* of *total* units behind it."""

    def advance(self, task: str, count: int) -> None:
        """Say that *count* more units of *task* are done."""

    def end(self, task: str) -> None:
        """Say that *task* is over, finished or not."""

    def note(self, text: str) -> None:
        """Say something that a person should read."""

    def warn(self, text: str) -> None:
        """Say something that a person must not miss."""


def predicting(label: str) -> str:
    """Name the task of predicting one arm."""
    return f"predict {label}"


class Silent:
    """The watcher that nobody listens to."""

    def begin(self, task: str, total: int, done: int = 0, unit: str = "groups") -> None:
        """Nothing is said."""

    def advance(self, task: str, count: int) -> None:
        """Nothing is said."""

    def end(self, task: str) -> None:
        """Nothing is said."""

    def note(self, text: str) -> None:
        """Nothing is said."""

    def warn(self, text: str) -> None:
        """Nothing is said."""


SILENT: Watcher = Silent()

"""Which predictor's process was begun before its session? One call that also plans begins it early.

It imports, and loads its model, while the session's process hashes inputs and draws groups. It ends
with the call if nobody takes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ptyrun.child.predictor import Hosted  # NumPy: what only looks at runs does without


@dataclass
class _Ahead:
    name: object = None
    hosted: Hosted | None = None

    def end(self) -> None:
        hosted, self.hosted = self.hosted, None
        if hosted is not None:
            hosted.end()


_AHEAD: ContextVar[_Ahead | None] = ContextVar("ahead", default=None)


@contextmanager
def kept() -> Iterator[None]:
    """Let one process be begun in here and be taken in here, by the same thread."""
    ahead = _Ahead()
    before = _AHEAD.set(ahead)
    try:
        yield
    finally:
        _AHEAD.reset(before)
        ahead.end()


def begin(name: object, hosted: Hosted) -> None:
    """Begin it, unless nobody could take it or one was begun already.

    Parameters
    ----------
    name : object
        Who takes it must give an equal one: model, code and fence as they are.
    hosted : Hosted
    """
    ahead = _AHEAD.get()
    if ahead is not None and ahead.hosted is None:
        ahead.name, ahead.hosted = name, hosted
        hosted.begin()


def taken(name: object) -> Hosted | None:
    """Give the one that was begun as *name*; any other one ends."""
    ahead = _AHEAD.get()
    if ahead is None:
        return None
    if ahead.name != name:
        ahead.end()
    hosted, ahead.hosted = ahead.hosted, None
    return hosted

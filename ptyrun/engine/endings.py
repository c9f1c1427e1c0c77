"""How did a session end that wrote no last line?

A chunk is blamed for the death of its session only if the session was killed. One that ended at its
deadline, by the kernel's timer, was cut; one that a signal had asked to end was asked. Neither can
say so itself, so two empty files beside the claims do: the first is there for as long as the
session has not come to its deadline, the second from the moment that a signal came. Hints: without
them a chunk that kills is found later, or one more window counts as too short.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum

from ptyrun.engine.records import Opened
from ptyrun.host.clock import boot_clock_s
from ptyrun.host.deadline import DEADLINE
from ptyrun.host.signals import ASKED
from ptyrun.paths import RunPaths

UNCUT = ".uncut"
ASKED_TO_END = ".asked"


class Ending(Enum):
    """What ended a session."""

    KILLED = "killed"
    CUT = "ended at its deadline, in the middle of its work"
    ASKED = "asked to end by a signal, and ended before it could say so"


@contextmanager
def marked(paths: RunPaths, session: str) -> Iterator[None]:
    """Leave what tells how *session* ended, if it cannot; nothing of it stays if it can."""
    uncut = paths.claims / f"{session}{UNCUT}"
    asked = paths.claims / f"{session}{ASKED_TO_END}"

    def note() -> None:
        with suppress(OSError):
            asked.touch()

    if DEADLINE.at_s is not None:
        with suppress(OSError):
            uncut.touch()
        DEADLINE.set_mark(uncut)
    ASKED.listeners.append(note)
    try:
        yield
    finally:
        ASKED.listeners.remove(note)
        for mark in (uncut, asked):
            with suppress(OSError):
                mark.unlink(missing_ok=True)


def ending_of(paths: RunPaths, session: str, opened: Opened) -> Ending:
    """Tell what ended a session of which no process is left, and no last line."""
    if os.path.lexists(paths.claims / f"{session}{ASKED_TO_END}"):
        return Ending.ASKED
    if opened.deadline_s is None or os.path.lexists(paths.claims / f"{session}{UNCUT}"):
        return Ending.KILLED
    too_early = opened.process.is_here() and boot_clock_s() < opened.deadline_s
    return Ending.KILLED if too_early else Ending.CUT

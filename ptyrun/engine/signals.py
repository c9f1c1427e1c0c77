"""Did somebody ask this session to end?

SIGTERM and SIGUSR1 close the window early, as does the first Ctrl-C; the second Ctrl-C leaves at
once, by the system's own default action, which the crash-safe order on disk makes harmless.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Self

from ptyrun.errors import ExitCode, Leaving

INTERRUPTED = "interrupted"
PATIENCE_S = 1.0  # for an end in good order
_CLOSING = ("SIGINT", "SIGTERM", "SIGUSR1")


class Interrupts:
    """Listens to signals while entered; only the main thread of a process can."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in _CLOSING:
                if number := getattr(signal, name, None):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.reason = caused_by(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()


def caused_by(number: int) -> str:
    """Say why a session ends that got this signal."""
    return INTERRUPTED if number == signal.SIGINT else f"received {signal.Signals(number).name}"


def leave_on_signals() -> None:
    """End this process with exit code 75 on the same signals wherever no session listens.

    Planning and assembling leave nothing half done that counts, so they may end at any point. A
    signal that comes again has its default action.
    """
    for name in _CLOSING:
        number = getattr(signal, name, None)
        # What a shell without job control had ignored stays ignored.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)


def _leave(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    # Written past Python's buffers, which this may have interrupted.
    words = f"received {signal.Signals(number).name}: run the same command again to go on\n"
    os.write(2, words.encode())
    # What is raised here can get lost where nobody lets it through: in a finaliser, or in a
    # compiled module that is being imported.
    signal.signal(signal.SIGALRM, _leave_at_once)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    raise Leaving(int(ExitCode.INCOMPLETE))


def _leave_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(int(ExitCode.INCOMPLETE))

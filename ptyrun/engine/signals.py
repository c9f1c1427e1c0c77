"""Did somebody ask this session to end?

SIGTERM and SIGUSR1 close the window early, as does the first Ctrl-C; the second Ctrl-C leaves at
once, by the system's own default action, which the crash-safe order on disk makes harmless.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

INTERRUPTED = "interrupted"


class Interrupts:
    """Listens to signals while entered; only the main thread of a process can."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
                if number := getattr(signal, name, None):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, _frame: FrameType | None) -> None:
        by_hand = number == signal.SIGINT
        self.reason = INTERRUPTED if by_hand else f"received {signal.Signals(number).name}"
        if by_hand:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

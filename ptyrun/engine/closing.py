"""When does a session stop waiting for what is under way?"""

from __future__ import annotations

import math
import time

from ptyrun.engine.window import Window
from ptyrun.host.signals import Interrupts

GRACE_S = 5.0  # after a signal, a chunk that ends within it is finished, another one dropped
LATE_S = 0.5  # after the window's end, likewise


class Closing:
    """Knows a session's window and the signals that it hears."""

    def __init__(self, window: Window, interrupts: Interrupts) -> None:
        self._window = window
        self._interrupts = interrupts
        self._asked_s = math.inf

    def is_closing(self) -> bool:
        """Whether nothing is to be begun any more."""
        return self._interrupts.reason is not None or self._window.remaining_s <= 0

    def is_late(self) -> bool:
        """Whether nothing is to be waited for any more."""
        if self._interrupts.reason is not None:
            self._asked_s = min(self._asked_s, time.monotonic())
            if time.monotonic() - self._asked_s > GRACE_S:
                return True
        return self._window.remaining_s <= -LATE_S

"""What does a process of foreign code write to its streams? Bounded lines, and its last words."""

from __future__ import annotations

import os
from collections.abc import Callable

from ptyrun.texts import one_line

LAST_WORDS = 400
_READ_BYTES = 1 << 16
_MOST_BYTES = 32 << 20  # of one process, that are told
_FLOOD_BYTES = 128 << 20  # of one process; of what comes then, not even lines are looked for
_LINE_BYTES = 256  # that each line counts besides: what a log puts before it, and the time it takes
LEFT_OUT = "(it writes more than a log should hold: the rest is left out)"


class Words:
    """Takes what comes from a pipe and tells it line by line.

    Parameters
    ----------
    descriptor : int
        The pipe's, which is owned from now on.
    tell : callable
        Given each line, with control characters spelt out.
    """

    def __init__(self, descriptor: int, tell: Callable[[str], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._tell = tell
        self._line = b""  # the last one, as far as it came
        self._last = b""
        self._n_bytes = self._n_told = 0
        self._is_full = False
        # One that was closed at its other end would be ready for ever.
        self.open = [descriptor]

    def hear(self) -> bool:
        """Take what is there; False if that is nothing."""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self.open = []
        self._last = (self._last + data)[-4 * LAST_WORDS :]
        self._n_bytes += len(data)
        if self._is_full or self._n_bytes > _FLOOD_BYTES:
            if not self._is_full:
                self._is_full = True
                self._tell(LEFT_OUT)
            return bool(data)
        *whole, self._line = (self._line + data).split(b"\n")
        if len(self._line) > _READ_BYTES:
            whole, self._line = [*whole, self._line], b""
        for line in filter(bytes.strip, whole):
            text = one_line(line.decode(errors="replace"))
            self._n_told += len(text) + _LINE_BYTES
            self._is_full = self._n_told > _MOST_BYTES
            self._tell(LEFT_OUT if self._is_full else text)
            if self._is_full:
                break
        return bool(data)

    def hear_all(self) -> None:
        """Take what a process that has ended left."""
        while self.hear() and self._n_bytes < _MOST_BYTES:
            pass

    @property
    def last(self) -> str:
        """The end of all that was said."""
        return one_line(self._last.decode(errors="replace").strip()[-LAST_WORDS:])

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self._descriptor)
        self.open = []

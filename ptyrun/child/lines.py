"""How do a session and the process of its predictor speak? In lines of JSON that have a bound.

No pickle: either side reads what it knows, and what comes from the child is believed by nobody.
"""

from __future__ import annotations

import json
import os
from typing import Any

MAX_LINE_BYTES = 1 << 17  # of what is answered
MAX_TOLD_BYTES = 1 << 24  # of what a process is asked: it names each file that it may read
MAX_TEXT = 8000  # characters of one text in a line, so that a few of them fit, escaped


class GarbledLineError(ValueError):
    """What came is no line of this kind."""


def encoded(message: dict[str, Any], most_bytes: int = MAX_LINE_BYTES) -> bytes:
    """Write one message as a line."""
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
    line = text.encode(errors="backslashreplace") + b"\n"
    if len(line) > most_bytes:
        raise GarbledLineError(f"a line of {len(line)} bytes")
    return line


def send(descriptor: int, left: bytes) -> None:
    """Write one line, all of it; raises OSError where nobody is there to read."""
    while left:
        left = left[os.write(descriptor, left) :]


class Lines:
    """Takes bytes as they come and gives whole messages."""

    def __init__(self, most_bytes: int = MAX_LINE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take what was read.

        Raises
        ------
        GarbledLineError
            If a line has no end.
        """
        self._rest += data
        if len(self._rest) > self._most_bytes:
            raise GarbledLineError("a line without an end")

    @property
    def has_more(self) -> bool:
        """Whether anything was read that is not given yet."""
        return bool(self._rest)

    def next(self) -> dict[str, Any] | None:
        """Give the next message; None if it has not come yet.

        Raises
        ------
        GarbledLineError
            If the line is not a JSON object.
        """
        line, end, rest = self._rest.partition(b"\n")
        if not end:
            return None
        self._rest = rest
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise GarbledLineError("a line that is not JSON") from error
        if not isinstance(found, dict):
            raise GarbledLineError("a line that is not a JSON object")
        return found


def receive(descriptor: int, lines: Lines) -> dict[str, Any] | None:
    """Wait for the next message; None when the other side is gone."""
    while (message := lines.next()) is None:
        data = os.read(descriptor, MAX_LINE_BYTES // 2)
        if not data:
            return None
        lines.feed(data)
    return message

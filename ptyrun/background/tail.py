"""What did a session say last, and what does it say now?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

_BLOCK_BYTES = 1 << 16
_POLL_S = 0.2


def last_lines(path: Path, n_lines: int) -> str:
    """Give the last lines of a text file, however long it is; empty if there is no file."""
    try:
        with path.open("rb") as stream:
            stream.seek(_start_of_last(stream, n_lines))
            return stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def follow(path: Path, n_lines: int, is_over: Callable[[], bool]) -> Iterator[str]:
    """Give the last lines, then whatever is written, until the writer is gone."""
    with path.open("rb") as stream:
        start = _start_of_last(stream, n_lines)
    with path.open(encoding="utf-8", errors="replace", newline="") as text:
        text.seek(start)
        while True:
            # Asked before reading: what is written before the end is read after it.
            ends = is_over()
            if said := text.read():
                yield said
            if ends:
                return
            time.sleep(_POLL_S)


def _start_of_last(stream: BinaryIO, n_lines: int) -> int:
    """Find where the last lines begin, reading backwards."""
    if n_lines < 1:
        return stream.seek(0, 2)
    at = end = stream.seek(0, 2)
    wanted = n_lines
    while at:
        size = min(_BLOCK_BYTES, at)
        at = stream.seek(at - size)
        block = stream.read(size)
        searched = size - 1 if at + size == end else size  # the last line's own end is none
        while wanted and (searched := block.rfind(b"\n", 0, max(searched, 0))) >= 0:
            wanted -= 1
        if not wanted:
            return at + searched + 1
    return 0

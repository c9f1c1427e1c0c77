"""What did a session say last, and what does it say now?"""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ptyrun.host.regular import below, open_regular

_BLOCK_BYTES = 1 << 16
_POLL_S = 0.2
_MOST_BYTES = 1 << 24  # at once, and of what has no lines


def last_lines(folder: Path, name: str, n_lines: int) -> str:
    """Give the last lines of what a document calls *name*; empty if there is no such file.

    Raises
    ------
    ForeignFileError
        If the name leads out of the folder, or it is not a regular file.
    """
    try:
        with open_regular(below(folder, name)) as stream:
            stream.seek(_start_of_last(stream, n_lines))
            return stream.read(_MOST_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return ""


def follow(folder: Path, name: str, n_lines: int, is_over: Callable[[], bool]) -> Iterator[str]:
    """Give the last lines, then whatever is written, until the writer is gone.

    Raises as `last_lines`.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with open_regular(below(folder, name)) as stream:
        stream.seek(_start_of_last(stream, n_lines))
        while True:
            # Asked before reading: what is written before the end is read after it.
            ends = is_over()
            while said := stream.read(_MOST_BYTES):
                yield decoder.decode(said)
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

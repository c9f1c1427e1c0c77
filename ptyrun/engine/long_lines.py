"""How long may a line of the ledger be? A longer one is none, and would take all memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ptyrun.errors import ForeignFileError

MAX_LINE_BYTES = 2**22  # a traceback is cut at some KiB


def lines_of(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    """Give the lines of a session's file that is open, with their ends.

    Raises
    ------
    ForeignFileError
        If one is longer than any that is written.
    """
    while line := stream.readline(MAX_LINE_BYTES + 1):
        require_short(len(line), path)
        yield line


def require_short(n_bytes: int, path: Path) -> None:
    """Refuse a line of so many bytes, as `lines_of`."""
    if n_bytes > MAX_LINE_BYTES:
        raise ForeignFileError(
            f"{path} is not a session's ledger",
            why=f"it has a line of more than {MAX_LINE_BYTES} bytes",
            do="restore the file, or do not use this folder",
        )

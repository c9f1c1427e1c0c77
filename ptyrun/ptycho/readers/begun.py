"""How does a large file go on being written where an earlier process was cut off?

Beside it lies what it consists of so far: parts, each with a digest, and where its source goes on
behind it. Only parts that this user's own processes wrote are believed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ptyrun.errors import ForeignFileError, InputError
from ptyrun.host.regular import read_regular
from ptyrun.host.remembered import Remembered

# A source: given where to go on ("" at the start) and the end of what is there, it yields pieces,
# and from time to time where it could go on behind one.
Source = Callable[[str, bytes], Iterator[tuple[bytes, str]]]
TAIL_BYTES = 32 << 10
_BLOCK_BYTES = 4 << 20
_MOST_BYTES = 1 << 20


class BusyError(Exception):
    """Another process writes this file now, or has just finished it."""


class BegunFile:
    """A file that is being written in parts; one process at a time.

    Parameters
    ----------
    path : Path
    key : str
        Names its content.
    own : Remembered
        What this user's own processes wrote.

    Raises
    ------
    BusyError
        From entering it, if another process is at it.
    OSError
        If the disk refuses.
    """

    def __init__(self, path: Path, key: str, own: Remembered) -> None:
        self.path = path
        self._list = path.with_name(f"{path.name}.parts")
        self._key, self._own = key, own
        self.mark, self.tail = "", b""
        self._begin, self._stop = 0, 0
        self._digest = hashlib.blake2b()

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(self.path, flags, 0o666)
        self._file = os.fdopen(handle, "r+b")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(handle), self.path.lstat()):
                raise BusyError
        except (BlockingIOError, FileNotFoundError) as error:
            self._file.close()
            raise BusyError from error
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what is there if the work was cut; take it back if it cannot be gone on with."""
        if isinstance(error, OSError | InputError):
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
                self._list.unlink(missing_ok=True)
        self._file.close()

    def recovered(self) -> Iterator[bytes]:
        """Give what earlier processes wrote, and be where it ends; what follows is cut off."""
        kept: list[str] = []
        for line in self._lines():
            mark, stop = self._read_line(line)
            digest, last = hashlib.blake2b(), b""
            for block in self._blocks(self._stop, stop):
                digest.update(block)
                last = (last + block)[-TAIL_BYTES:]
            if not self._own.holds(self._fact(self._stop, stop, mark, digest.hexdigest())):
                break
            yield from self._blocks(self._stop, stop)
            kept.append(line)
            self.mark, self.tail = mark, (self.tail + last)[-TAIL_BYTES:]
            self._begin = self._stop = stop
        self._file.truncate(self._stop)
        self._file.seek(self._stop)
        self._list.write_text("".join(f"{line}\n" for line in kept), encoding="ascii")

    def write(self, piece: bytes) -> None:
        """Add *piece*."""
        self._file.write(piece)
        self._digest.update(piece)
        self._stop += len(piece)

    def end_part(self, mark: str) -> None:
        """Let a later process go on here, with its source at *mark*."""
        self._file.flush()
        self._own.add(self._fact(self._begin, self._stop, mark, self._digest.hexdigest()))
        with self._list.open("a", encoding="ascii") as parts:
            parts.write(f"{json.dumps([mark, self._stop])}\n")
        self._begin, self._digest = self._stop, hashlib.blake2b()

    def finish(self, path: Path) -> Path:
        """Give it its name."""
        self._file.flush()
        self._list.unlink(missing_ok=True)
        return self.path.rename(path)

    def _lines(self) -> list[str]:
        try:
            return read_regular(self._list, _MOST_BYTES).decode("ascii").splitlines()
        except (OSError, ValueError, ForeignFileError):
            return []

    def _read_line(self, line: str) -> tuple[str, int]:
        """Where a part ends, and its mark; a part of nothing where the line is cut off."""
        with suppress(ValueError, TypeError):
            mark, stop = json.loads(line)
            size = os.fstat(self._file.fileno()).st_size
            if isinstance(mark, str) and isinstance(stop, int) and self._stop <= stop <= size:
                return mark, stop
        return "", self._stop

    def _blocks(self, start: int, stop: int) -> Iterator[bytes]:
        self._file.seek(start)
        while start < stop:
            block = self._file.read(min(_BLOCK_BYTES, stop - start))
            if not block:
                return
            yield block
            start += len(block)

    def _fact(self, start: int, stop: int, mark: str, digest: str) -> str:
        return f"{self._key} {start} {stop} {mark} {digest}"

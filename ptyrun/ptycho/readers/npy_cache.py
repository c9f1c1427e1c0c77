"""How are rows of an array on disk read, and where do unpacked arrays lie meanwhile?"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError, StorageError
from ptyrun.host import durable
from ptyrun.host.checksums import file_crc32c
from ptyrun.host.regular import filled_bytes
from ptyrun.host.remembered import Remembered
from ptyrun.host.remembered import identity as file_identity
from ptyrun.ptycho.readers.begun import BegunFile, BusyError, Source

BLOCK_BYTES = 16 << 20
# Told whenever a part of an array is there that a later session need not unpack again.
PART_KEPT: ContextVar[Callable[[], None] | None] = ContextVar("PART_KEPT", default=None)


class NpyCache:
    """A folder of unpacked arrays; each may be deleted at any time.

    A file's name holds the CRC of its bytes and is checked on every opening, because nothing here
    is forced to the disk: after a power cut a file may have its length and not its content. The
    folder may come from somebody else, with arrays of their choice: only files that this user's
    own processes wrote are believed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = Remembered("unpacked")

    def publish(self, identity: str, size: int, source: Source) -> Path:
        """Write what *source* yields to a file, or find the one that an earlier session wrote.

        What a session leaves when it is cut, the next one goes on with.

        Parameters
        ----------
        identity : str
            Names the content; what is found under it is believed if this user wrote it, and size
            and CRC agree.
        size : int
            Of all pieces together, in bytes.
        source : callable
            See `ptyrun.ptycho.readers.begun.Source`.

        Raises
        ------
        StorageError
            If the disk refuses.
        """
        key = hashlib.sha256(os.fsencode(identity)).hexdigest()[:24]
        found = self._found(key, size)
        if found is not None:
            return found
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                return self._gone_on(key, source)
            except BusyError:
                return self._written(key, source)
        except OSError as error:
            raise StorageError(
                f"an array cannot be unpacked into {self.folder}",
                why=durable.explanation(error).why,
                do=f"free {size >> 20} MiB there, or store the scan uncompressed (numpy.savez)",
            ) from error

    def _gone_on(self, key: str, source: Source) -> Path:
        """Write the file, from where an earlier process was cut off."""
        crc = 0
        with BegunFile(self.folder / f".{key}.begun", key, self._own) as begun:
            for block in begun.recovered():
                crc = google_crc32c.extend(crc, block)
            for piece, mark in source(begun.mark, begun.tail):
                begun.write(piece)
                crc = google_crc32c.extend(crc, piece)
                if mark:
                    begun.end_part(mark)
                    if (told := PART_KEPT.get()) is not None:
                        told()
            return self._believed(key, begun.finish(self._path(key, crc)))

    def _written(self, key: str, source: Source) -> Path:
        """Write the file beside another process that does the same."""
        partial = self.folder / f".{key}.{uuid.uuid4().hex}.partial"
        try:
            crc = 0
            with partial.open("wb") as file:
                for piece, _ in source("", b""):
                    file.write(piece)
                    crc = google_crc32c.extend(crc, piece)
            return self._believed(key, partial.rename(self._path(key, crc)))
        finally:
            partial.unlink(missing_ok=True)

    def _path(self, key: str, crc: int) -> Path:
        return self.folder / f"{key}-{crc:08x}.npy"

    def _believed(self, key: str, path: Path) -> Path:
        self._own.add(f"{key} {file_identity(path.lstat())}")
        return path

    @property
    def free_bytes(self) -> int | None:
        """Free space where it lies; None where that cannot be told."""
        here = next((each for each in (self.folder, *self.folder.parents) if each.is_dir()), None)
        with suppress(OSError):
            return None if here is None else shutil.disk_usage(here).free
        return None

    def damaged(self) -> list[Path]:
        """Name the files whose bytes do not match the CRC in their names; they may go meanwhile."""
        found = []
        for path in sorted(self.folder.glob("*-*.npy")):
            with suppress(FileNotFoundError):
                if not path.stem.endswith(f"-{file_crc32c(path):08x}"):
                    found.append(path)
        return found

    def _found(self, key: str, size: int) -> Path | None:
        for path in self._named(key):
            with suppress(OSError):  # another session may have replaced it
                found = path.lstat()
                if self._own.holds(f"{key} {file_identity(found)}") and found.st_size == size:
                    if path.stem.endswith(f"-{file_crc32c(path):08x}"):
                        return path
                    path.unlink()
        return None

    def _named(self, key: str) -> list[Path]:
        with suppress(OSError):
            return sorted(self.folder.glob(f"{key}-*.npy"))
        return []


class RowReader:
    """Records of equal length that lie one after the other in a file, read with ``pread``.

    Parameters
    ----------
    path : Path
        The file.
    offset : int
        Where the first record begins, in bytes.
    n_rows, row_items : int
        Number of records, and values in each.
    dtype : numpy.dtype
        Of the values.
    """

    def __init__(
        self, path: Path, offset: int, n_rows: int, row_items: int, dtype: np.dtype[Any]
    ) -> None:
        self.path, self.offset = path, offset
        self.n_rows, self.row_items, self.dtype = n_rows, row_items, dtype
        self._handle = os.open(path, os.O_RDONLY)
        # A reader lives as long as its scan, which nobody closes when an error ends the work.
        self._close = weakref.finalize(self, os.close, self._handle)

    def rows(self, indices: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Read the records at *indices*, shape (k, row_items); neighbours in one go.

        Raises
        ------
        IndexError
            If there is no such record.
        InputError
            If the file ends before one of them does.
        """
        unique, inverse = np.unique(indices, return_inverse=True)
        if unique.size and not 0 <= unique[0] <= unique[-1] < self.n_rows:
            raise IndexError(f"rows {unique[0]}..{unique[-1]} of {self.n_rows}")
        found = np.empty((unique.size, self.row_items), self.dtype)
        starts = np.flatnonzero(np.diff(unique, prepend=-2) != 1)
        first_rows = unique[starts].tolist()
        row_bytes = self.row_items * self.dtype.itemsize
        ends = [start * row_bytes for start in [*starts.tolist(), unique.size]]
        buffer = _bytes_of(found)
        for row, begin, end in zip(first_rows, ends[:-1], ends[1:], strict=True):
            self._fill(buffer[begin:end], row)
        return found if np.array_equal(unique, indices) else found[inverse]

    def transposed_pieces(self, mark: str = "") -> Iterator[tuple[bytes, str]]:
        """Yield the values column by column, so that each column becomes a record.

        Each piece comes with the first column behind it, as a mark to go on from.
        """
        columns = max(1, BLOCK_BYTES // max(1, self.n_rows * self.dtype.itemsize))
        for first in range(int(mark or 0), self.row_items, columns):
            width = min(columns, self.row_items - first)
            block = np.empty((self.n_rows, width), self.dtype)
            for row in range(self.n_rows):
                self._fill(_bytes_of(block[row]), row, first)
            yield np.ascontiguousarray(block.T).tobytes(), str(first + width)

    def close(self) -> None:
        """Close the file."""
        self._close()

    def _fill(self, buffer: memoryview, row: int, item: int = 0) -> None:
        position = self.offset + (row * self.row_items + item) * self.dtype.itemsize
        if filled_bytes(self._handle, buffer, position) < len(buffer):
            raise InputError(
                f"{self.path} ends too early",
                why=f"it has fewer than the {position + len(buffer)} bytes that it announces",
                do="copy the file again from its source",
            )


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8).data)

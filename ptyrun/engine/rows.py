"""How is a table read that need not fit into memory? Some rows at a time."""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from ptyrun.engine.store import CRC_BYTES
from ptyrun.errors import DamageError
from ptyrun.host import durable
from ptyrun.host.regular import filled_bytes, open_regular

BLOCK_ROWS = 1 << 15
REMEMBERED_ROWS = 1 << 12


class Rows(Protocol):
    """A table of which rows are asked for; an array is one, too."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and the shape of each."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""

    def __len__(self) -> int:
        """Number of rows."""

    def __getitem__(self, part: slice, /) -> NDArray[Any]:
        """Some rows, one after the other."""


def parts(n_rows: int) -> Iterator[slice]:
    """Cut a table of so many rows into blocks."""
    for first in range(0, n_rows, BLOCK_ROWS):
        yield slice(first, min(first + BLOCK_ROWS, n_rows))


def blocks(rows: Rows) -> Iterator[NDArray[Any]]:
    """Read a table from its first row to its last, a block at a time."""
    for part in parts(len(rows)):
        yield rows[part]


@dataclass(frozen=True)
class ComputedRows:
    """Rows that are computed whenever they are asked for.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    compute : callable
        Given a slice of rows, without a step, their values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    compute: Callable[[slice], NDArray[Any]]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice, /) -> NDArray[Any]:
        start, stop, _ = part.indices(len(self))
        return self.compute(slice(start, max(start, stop)))


class RememberedRows:
    """Rows of another table, of which those read last are kept: for one small read after another.

    Parameters
    ----------
    rows : Rows
        What is given of it is not to be changed.
    """

    def __init__(self, rows: Rows) -> None:
        self.shape, self.dtype = rows.shape, rows.dtype
        self._rows = rows
        self._kept = (0, rows[0:0])  # one value, so that threads see both or neither

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice, /) -> NDArray[Any]:
        start, stop, _ = part.indices(len(self))
        stop = max(start, stop)
        first, kept = self._kept
        if first > start or stop > first + len(kept):
            if stop - start >= REMEMBERED_ROWS:
                return self._rows[start:stop]
            first, kept = start, self._rows[start : start + REMEMBERED_ROWS]
            self._kept = first, kept
        return kept[start - first : stop - first]


class StoredRows:
    """Rows that lie one after the other in a file, their CRC-32C behind them.

    The file stays open: a plan that is replaced meanwhile puts another file in its place, and what
    is read here stays what it was.

    Parameters
    ----------
    path : Path
    shape : tuple of int
    dtype : numpy.dtype
        As stored: of the little end first.

    Raises
    ------
    ValueError
        If the file's length or its CRC is another.
    OSError, ForeignFileError
        If it cannot be opened.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path, self.shape, self.dtype = path, shape, dtype
        self._row_bytes = math.prod(shape[1:]) * dtype.itemsize
        with open_regular(path) as stream:
            self._handle = os.dup(stream.fileno())
        self._close = weakref.finalize(self, os.close, self._handle)
        expected, found = len(self) * self._row_bytes + CRC_BYTES, os.fstat(self._handle).st_size
        if found != expected:
            raise ValueError(f"its file has {found} bytes, not {expected}")
        crc = 0
        for part in parts(len(self)):
            crc = google_crc32c.extend(crc, bytes(self._bytes(part)))
        if self._read(expected - CRC_BYTES, CRC_BYTES) != crc.to_bytes(CRC_BYTES, "little"):
            raise ValueError("its CRC does not match its bytes")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice, /) -> NDArray[Any]:
        with durable.storage_errors(self.path, "read"):
            stored = np.frombuffer(self._bytes(part), self.dtype.newbyteorder("<"))
        return stored.reshape(-1, *self.shape[1:]).astype(self.dtype, copy=False)

    def _bytes(self, part: slice) -> bytearray:
        start, stop, _ = part.indices(len(self))
        return self._read(start * self._row_bytes, max(0, stop - start) * self._row_bytes)

    def _read(self, offset: int, n_bytes: int) -> bytearray:
        data = bytearray(n_bytes)
        if filled_bytes(self._handle, memoryview(data), offset) < n_bytes:
            raise DamageError(
                f"{self.path} ends too early",
                why="it was cut off while it was in use",
                do="run `ptyrun plan` again with this run's configuration: it restores the index",
            )
        return data

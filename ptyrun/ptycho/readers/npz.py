"""What is in an NPZ file? Read member by member and row by row, never unpickled."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.host import memory
from ptyrun.host.zip_layout import require_one_reading
from ptyrun.ptycho.readers.npy_cache import NpyCache, RowReader
from ptyrun.ptycho.readers.npy_header import Header
from ptyrun.ptycho.readers.pickled_text import string_in_pickle
from ptyrun.ptycho.readers.unpacking import can_go_on, unpacked
from ptyrun.texts import enumerated

STORED = zipfile.ZIP_STORED
LOCAL_HEADER_BYTES = 30
PIECE_BYTES = 1 << 20
BLOCK_BYTES = 1 << 17
TEXT_LIMIT_BYTES = 16 << 20

# Deflate cannot exceed 1032:1. Counts with few photons reach about 100:1, sparse ones 700:1. Below
# this size, nothing is refused.
BOMB_RATIO = 400
BOMB_BYTES = 256 << 20


class NpzFile:
    """One NPZ file, opened without pickle.

    Parameters
    ----------
    path : Path
        The file.
    cache_dir : Path, optional
        Where compressed members are unpacked once, so that rows can be read one by one. Without
        it a compressed member is held in memory from its first use on.

    Raises
    ------
    InputError
        If the file is absent, unreadable, truncated or not an NPZ file.
    """

    def __init__(self, path: Path, cache_dir: Path | None = None) -> None:
        self.path = path
        self._cache = None if cache_dir is None else NpyCache(cache_dir)
        self._headers: dict[str, Header] = {}
        self._held: dict[str, NDArray[Any]] = {}
        self._readers: dict[tuple[str, bool], RowReader] = {}
        try:
            self._stat = path.stat()
            with path.open("rb") as file:
                require_one_reading(file)
            with zipfile.ZipFile(path) as archive:
                members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise self._unreadable(error) from error
        self._entries = {each.filename.removesuffix(".npy"): each for each in members}
        if not self._entries:
            raise InputError(
                f"{path} holds no arrays",
                why="no member of the archive is an .npy file",
                do="give an NPZ file as written by numpy.savez",
            )

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in the order of the archive."""
        return tuple(self._entries)

    def header(self, name: str) -> Header:
        """Shape and dtype of member *name*, without its values.

        Raises
        ------
        InputError
            If the member is missing, damaged, or larger than it says.
        """
        if name not in self._headers:
            with self._open(name) as stream:
                self._headers[name] = self._header(name, stream)
        return self._headers[name]

    def array(self, name: str) -> NDArray[Any]:
        """Read the whole member *name*, in C order.

        Raises
        ------
        InputError
            If the member is missing, damaged, or holds Python objects.
        """
        if name in self._held:
            return self._held[name]
        with self._open(name) as stream:
            header = self._plain(name, self._header(name, stream))
            self._require_room(name, memory.available_bytes(), "memory")
            try:
                flat = np.empty(header.data_bytes, np.uint8)
                filled = 0
                for piece in self._pieces(name, stream):
                    flat[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
                    filled += len(piece)
            except MemoryError as error:
                raise self._bomb(name, "it does not fit into memory") from error
        values = flat.view(header.dtype)
        if header.fortran_order:
            return np.ascontiguousarray(values.reshape(header.shape[::-1]).T)
        return values.reshape(header.shape)

    def blocks(self, name: str) -> Iterator[NDArray[Any]]:
        """Read the whole member *name* some values at a time, flat, in the order of the file.

        Raises
        ------
        InputError
            As `array`; of a member that is damaged or changed perhaps after some blocks.
        """
        header = self._plain(name, self.header(name))
        self._require_room(name, memory.available_bytes(), "memory")
        values = max(1, BLOCK_BYTES // max(1, header.dtype.itemsize))
        with self._open(name) as stream:
            if self._header(name, stream) != header:
                raise self._damaged(name, "it was changed meanwhile")
            for piece in self._pieces(name, stream, values * header.dtype.itemsize):
                yield np.frombuffer(piece, header.dtype)

    def mapped(self, name: str) -> NDArray[Any]:
        """Read the member *name* as it is used, where it lies uncompressed; else as `array`.

        No CRC is compared: this is for files whose digest is known.

        Raises
        ------
        InputError
            As `array`.
        """
        entry, header = self._entry(name), self._plain(name, self.header(name))
        if entry.compress_type != STORED or header.fortran_order or not header.data_bytes:
            return self.array(name)
        start = self._data_start(entry) + header.data_offset
        return np.memmap(self.path, header.dtype, "r", start, header.shape)

    def rows(
        self,
        name: str,
        indices: NDArray[np.integer[Any]],
        *,
        last_axis: bool = False,
        lone_axes: int = 0,
    ) -> NDArray[Any]:
        """Slices of member *name* along its first (or last) axis, in the order asked for.

        Parameters
        ----------
        indices : ndarray of int, shape (k,)
            Repeats and any order are allowed; the file is read in ascending order.
        last_axis : bool
            Slice along the last axis, which comes out first.
        lone_axes : int
            Axes of length 1 before all others, which are left out.

        Returns
        -------
        ndarray, shape (k, ...)
            In the member's own dtype.
        """
        header = self._row_header(name, lone_axes)
        held = self._whole(name, header, last_axis)
        if held is not None:
            return np.take(held, indices, axis=0)
        key = (name, last_axis)
        if key not in self._readers:
            self._readers[key] = self._reader(name, header, last_axis)
        row_shape = header.shape[:-1] if last_axis else header.shape[1:]
        found = self._readers[key].rows(indices)
        if not header.fortran_order:
            return found.reshape(-1, *row_shape)
        return np.moveaxis(found.reshape(-1, *row_shape[::-1]).T, -1, 0)

    def check(self, name: str) -> None:
        """Compare the CRC that the archive keeps of member *name*.

        A stored member is read row by row, where nothing tells of a changed byte; a compressed
        one is compared whenever it is unpacked.

        Raises
        ------
        InputError
            If the member is missing or damaged.
        """
        if self._entry(name).compress_type == STORED:
            with self._open(name) as stream:
                for _ in self._pieces(name, stream):
                    pass

    def text(self, name: str) -> str:
        """Read a member that holds one string, in an array of strings or of objects of one element.

        The pickle of an object array is walked, not run: no object is ever made from it.

        Raises
        ------
        InputError
            If the member is anything else.
        """
        with self._open(name) as stream:
            header = self._header(name, stream)
            if header.dtype.kind == "O" and header.shape in ((), (1,)):
                return self._pickled_text(name, stream.read(TEXT_LIMIT_BYTES))
        value = self.array(name)
        if value.size != 1 or value.dtype.kind not in "US":
            raise self._wrong(name, f"it is {value.dtype} of shape {value.shape}, not one string")
        found = value.item()
        return found.decode(errors="replace") if isinstance(found, bytes) else str(found)

    def close(self) -> None:
        """Release what is held; the file can be used again."""
        self._held.clear()
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _whole(self, name: str, header: Header, last_axis: bool) -> NDArray[Any] | None:
        """Hold the member in memory where its rows lie one by one in no file, else None."""
        apart = last_axis != header.fortran_order
        if self._cache is not None or (self._entry(name).compress_type == STORED and not apart):
            return None
        if name not in self._held:
            self._held[name] = self.array(name)
        held = self._held[name].reshape(header.shape)
        return np.moveaxis(held, -1, 0) if last_axis else held

    def _row_header(self, name: str, lone_axes: int) -> Header:
        header = self._plain(name, self.header(name))
        inner = replace(header, shape=header.shape[lone_axes:])
        if not inner.shape or inner.data_bytes != header.data_bytes:
            raise self._wrong(name, f"its shape {header.shape} has no such rows")
        return inner

    def _reader(self, name: str, header: Header, last_axis: bool) -> RowReader:
        entry = self._entry(name)
        path, offset = self.path, self._data_start(entry) + header.data_offset
        if entry.compress_type != STORED:
            path, offset = self._unpacked(name, entry, header), header.data_offset
        n_rows = header.shape[-1] if last_axis else header.shape[0]
        row_items = header.data_bytes // max(1, n_rows * header.dtype.itemsize)
        if last_axis == header.fortran_order:
            return RowReader(path, offset, n_rows, row_items, header.dtype)
        assert self._cache is not None
        across = RowReader(path, offset, row_items, n_rows, header.dtype)
        turned = self._cache.publish(
            self._identity(entry) + "|transposed",
            header.data_bytes,
            lambda mark, _: across.transposed_pieces(mark),
        )
        across.close()
        return RowReader(turned, 0, n_rows, row_items, header.dtype)

    def _unpacked(self, name: str, entry: zipfile.ZipInfo, header: Header) -> Path:
        """Unpack the member into an .npy file of its own in the cache."""
        assert self._cache is not None
        if self._cache.free_bytes is not None:
            self._require_room(name, self._cache.free_bytes, "disk")
        size = header.data_offset + header.data_bytes
        return self._cache.publish(
            self._identity(entry), size, partial(self._unpacked_pieces, name, entry)
        )

    def _unpacked_pieces(
        self, name: str, entry: zipfile.ZipInfo, mark: str, tail: bytes
    ) -> Iterator[tuple[bytes, str]]:
        """Yield a member's bytes, and where deflated ones can be gone on with."""
        if not can_go_on(entry):
            with self._open(name) as stream:
                yield from ((piece, "") for piece in self._pieces(name, stream))
            return
        try:
            yield from unpacked(self.path, entry, self._data_start(entry), mark, tail)
        except (OSError, zlib.error) as error:
            raise self._damaged(name, error) from error

    def _identity(self, entry: zipfile.ZipInfo) -> str:
        facts = (self.path.resolve(), self._stat.st_size, self._stat.st_mtime_ns, entry.filename)
        return "|".join(map(str, (*facts, entry.file_size, entry.CRC)))

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self._entries:
            raise InputError(
                f"{self.path} has no array {name!r}",
                why=f"it holds: {enumerated(self._entries)}",
                do="give the file that holds it, or add the array",
            )
        return self._entries[name]

    def _require_room(self, name: str, left: int, where: str) -> None:
        """See that a member fits before it is unpacked; packed like a bomb, into half of it."""
        entry = self._entry(name)
        size = entry.file_size
        if size <= BOMB_BYTES:
            return
        is_sparse = size > BOMB_RATIO * entry.compress_size
        if size > (left // 2 if is_sparse else left):
            raise self._bomb(
                name,
                f"{entry.compress_size} bytes unpack to {size}, and {left} bytes of {where} are "
                "free" + (", of which it may take half" if is_sparse else ""),
            )

    def _open(self, name: str) -> IO[bytes]:
        entry = self._entry(name)
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.open(entry)  # keeps the file open for itself
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise self._unreadable(error) from error

    def _pieces(self, name: str, stream: IO[bytes], size: int = PIECE_BYTES) -> Iterator[bytes]:
        """Yield the rest of a member; the archive's CRC is checked at its end."""
        try:
            while piece := stream.read(size):
                yield piece
        except (OSError, zipfile.BadZipFile, ValueError, EOFError, zlib.error) as error:
            raise self._damaged(name, error) from error

    def _header(self, name: str, stream: IO[bytes]) -> Header:
        try:
            header = Header.read(stream)
        except Exception as error:  # NumPy's parser of headers raises whatever it meets
            raise self._damaged(name, error) from error
        if header.dtype.kind != "O":
            shape, dtype, size = header.shape, header.dtype, self._entries[name].file_size
            if header.data_offset + header.data_bytes != size or min(shape, default=0) < 0:
                raise self._damaged(name, f"shape {shape} of {dtype} does not fill {size} bytes")
        return header

    def _plain(self, name: str, header: Header) -> Header:
        if header.dtype.hasobject:
            raise self._wrong(name, "it holds Python objects, which only unpickling could read")
        return header

    def _data_start(self, entry: zipfile.ZipInfo) -> int:
        with self.path.open("rb") as file:
            local = os.pread(file.fileno(), LOCAL_HEADER_BYTES, entry.header_offset)
        if len(local) < LOCAL_HEADER_BYTES:
            raise self._damaged(entry.filename, "its local header is cut off")
        name_bytes, extra_bytes = (int.from_bytes(local[i : i + 2], "little") for i in (26, 28))
        return entry.header_offset + LOCAL_HEADER_BYTES + name_bytes + extra_bytes

    def _pickled_text(self, name: str, pickled: bytes) -> str:
        try:
            return string_in_pickle(pickled)
        except Exception as error:  # the pickle is foreign bytes: anything may be wrong with it
            raise self._wrong(name, f"it is not one pickled string ({error})") from error

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(
            f"{self.path} cannot be read as an NPZ file",
            why=str(error) or type(error).__name__,
            do="check the path, and copy the file again if it is truncated",
        )

    def _damaged(self, name: str, reason: object) -> InputError:
        return InputError(
            f"array {name!r} of {self.path} is damaged",
            why=str(reason) or type(reason).__name__,
            do="copy the file again from its source",
        )

    def _wrong(self, name: str, reason: str) -> InputError:
        return InputError(
            f"array {name!r} of {self.path} cannot be used",
            why=reason,
            do="write the file again with plain numeric arrays",
        )

    def _bomb(self, name: str, reason: str) -> InputError:
        return InputError(
            f"array {name!r} of {self.path} is too large",
            why=reason,
            do="if it is genuine, free that space, or store the file uncompressed (numpy.savez)",
        )

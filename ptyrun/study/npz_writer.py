"""How is an NPZ file written piece by piece, on disk for good? Equal arrays give equal bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ptyrun.host import durable, partials

PIECE_BYTES = 16 << 20


@dataclass(frozen=True)
class Pieces:
    """An array of that shape and dtype, in C order, as the bytes of its rows."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    source: PieceSource

    def pieces(self) -> Iterator[bytes]:
        """The bytes, in order."""
        return self.source()


class PieceSource(Protocol):
    """Gives the bytes of an array, in order."""

    def __call__(self) -> Iterator[bytes]:
        """The bytes."""


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any] | Pieces]) -> None:
    """Write an uncompressed NPZ, all or nothing, on disk for good when this returns.

    Raises
    ------
    StorageError
        If the disk refuses. What was at *path* is untouched.
    """
    partial = partials.name(path)
    with durable.storage_errors(path):
        try:
            with zipfile.ZipFile(partial, "x", zipfile.ZIP_STORED, allowZip64=True) as archive:
                for name, array in arrays.items():
                    # ZipInfo's own date is that of 1980, whatever the clock says.
                    with archive.open(
                        zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True
                    ) as file:
                        file.write(_header(array))
                        for piece in _pieces(array):
                            file.write(piece)
            durable.sync_file(partial)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
    durable.publish(partial, path)
    durable.fsync_folder(path.parent)


def _header(array: NDArray[Any] | Pieces) -> bytes:
    described = {
        "descr": npy.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": array.shape,
    }
    header = BytesIO()
    npy.write_array_header_1_0(header, described)
    return header.getvalue()


def _pieces(array: NDArray[Any] | Pieces) -> Iterator[bytes]:
    if isinstance(array, Pieces):
        yield from array.pieces()
        return
    if not array.shape:
        yield array.tobytes()
        return
    rows = max(1, PIECE_BYTES // max(1, array[:1].nbytes))
    for first in range(0, len(array), rows):
        yield np.ascontiguousarray(array[first : first + rows]).tobytes()

"""What is in a MATLAB file of version 5 to 7.2? Numbers, no objects and no functions.

SciPy reads each variable, after it was unpacked here within what its own header promises: a file of
a megabyte may unpack to gigabytes. Source of the format: MathWorks, MAT-File Format, 2024.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.host import memory

HEADER_BYTES, TAG_BYTES = 128, 8
MATRIX, COMPRESSED = 14, 15
NUMBERS = {"double", "single", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64))}
LARGEST_VALUE_BYTES = 16
SLACK_BYTES = 1 << 16
MAX_STRUCT_BYTES = 16 << 20
MAX_VARIABLES = 10_000
ALWAYS_BYTES = 16 << 20


class Matlab5File:
    """One file, its variables listed but not read.

    Raises
    ------
    InputError
        If it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            listed = scipy.io.whosmat(path)
            with path.open("rb") as file:
                self._header = file.read(HEADER_BYTES)
                self._order = "<" if self._header[126:128] == b"IM" else ">"
                places = list(self._elements(file, path.stat().st_size))
            if len(places) != len(listed):
                raise ValueError(f"{len(listed)} variables in {len(places)} elements")
        except Exception as error:  # SciPy raises whatever the damage provokes
            raise self._unreadable(error) from error
        self._listed = {
            name: (shape, kind, place)
            for (name, shape, kind), place in zip(listed, places, strict=True)
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables."""
        return tuple(self._listed)

    def __contains__(self, name: str) -> bool:
        return name in self._listed

    def array(self, name: str) -> NDArray[Any]:
        """Read a variable of numbers, its axes as in MATLAB.

        Raises
        ------
        InputError
            If it holds anything else, is damaged, or does not fit into memory.
        """
        shape, kind, _ = self._listed[name]
        if kind not in NUMBERS:
            raise InputError(
                f"{name} of {self.path} holds no numbers",
                why=f"it is of MATLAB's class {kind}",
                do="save it as an array of numbers (in MATLAB: cell2mat, full, struct2array)",
            )
        count = 1
        for side in shape:
            count *= int(side)
        n_bytes = count * LARGEST_VALUE_BYTES
        if n_bytes > ALWAYS_BYTES and 3 * n_bytes > (left := memory.available_bytes()):
            raise InputError(
                f"{name} of {self.path} does not fit into memory",
                why=f"{count} values take up to {3 * n_bytes} bytes; {left} are left",
                do="use a machine with more memory",
            )
        values = self._loaded(name, n_bytes + SLACK_BYTES)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biufc":
            raise self._unreadable(ValueError(f"{name} is not what its header says"))
        return values

    def numbers_of(self, name: str, field: str) -> NDArray[Any] | None:
        """Give the numbers of a structure's field, flat; None where there are none."""
        if name not in self._listed or self._listed[name][1] != "struct":
            return None
        held = self._loaded(name, MAX_STRUCT_BYTES)
        values = np.asarray(held.get(field)) if isinstance(held, dict) else np.asarray(None)
        return values.reshape(-1) if values.dtype.kind in "fiu" and values.size else None

    def _loaded(self, name: str, most_bytes: int) -> Any:
        offset, length, packed = self._listed[name][2]
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                if packed:
                    unpacker = zlib.decompressobj()
                    element = unpacker.decompress(
                        file.read(min(length, most_bytes)), most_bytes + TAG_BYTES
                    )
                    if unpacker.unconsumed_tail or length > most_bytes:
                        raise ValueError(f"it unpacks to more than {most_bytes} bytes")
                else:
                    if length > most_bytes:
                        raise ValueError(f"it has {length} bytes, not {most_bytes} at most")
                    element = struct.pack(f"{self._order}II", MATRIX, length) + file.read(length)
            one = BytesIO(self._header + element)
            return scipy.io.loadmat(one, simplify_cells=name not in self._arrays())[name]
        except Exception as error:  # SciPy raises whatever the damage provokes
            raise self._unreadable(error) from error

    def _arrays(self) -> set[str]:
        return {name for name, (_, kind, _) in self._listed.items() if kind in NUMBERS}

    def _elements(self, file: Any, n_bytes: int) -> Iterator[tuple[int, int, bool]]:
        """Yield where each variable lies: offset of its content, length, whether packed."""
        offset, count = HEADER_BYTES, 0
        while offset + TAG_BYTES <= n_bytes:
            file.seek(offset)
            kind, length = struct.unpack(f"{self._order}II", file.read(TAG_BYTES))
            offset += TAG_BYTES
            count += 1
            if kind not in (MATRIX, COMPRESSED) or offset + length > n_bytes:
                raise ValueError("an element of it is cut off, or of no known kind")
            if count > MAX_VARIABLES:
                raise ValueError(f"it has more than {MAX_VARIABLES} variables")
            yield offset, length, kind == COMPRESSED
            offset += length

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(
            f"{self.path} cannot be read as a MATLAB file",
            why=str(error) or type(error).__name__,
            do="copy the file again, or save it with -v7.3",
        )

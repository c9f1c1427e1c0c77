"""Which kind of file is this? Told by its first bytes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from ptyrun.errors import InputError
from ptyrun.host.packages import entry_points
from ptyrun.ptycho.readers.hdf5 import MAGIC

ENTRY_POINTS = "ptyrun.readers"
ZIP_MAGIC, NPY_MAGIC = b"PK", b"\x93NUMPY"
MATLAB_MAGIC = b"MATLAB 5.0 MAT-file"
# HDF5 lets other bytes stand before its own: none, 512, or twice as many each time.
USER_BLOCKS_BYTES = (0, *(512 << doubled for doubled in range(11)))
# What Python and NumPy raise where values are not what was expected of them.
_OF_CONTENT = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class Format(Enum):
    """Containers that arrays come in."""

    NPZ = "NPZ"
    HDF5 = "HDF5"
    NPY = "NPY"
    MATLAB5 = "MATLAB 5"
    OTHER = "other"


@contextmanager
def whatever_is_in(path: Path, what: str) -> Iterator[None]:
    """While a foreign file is read: what its content provokes is the file's fault.

    Raises
    ------
    InputError
        In place of what Python and NumPy raise.
    """
    try:
        yield
    except _OF_CONTENT as error:
        raise InputError(
            f"{path} cannot be used as a {what}",
            why=f"{type(error).__name__}: {error}",
            do="get an intact copy of the file, or write it again",
        ) from error


def format_of(path: Path, what: str) -> Format:
    """Tell which container a file is.

    Parameters
    ----------
    path : Path
    what : str
        What the file is wanted for, for the error.

    Raises
    ------
    InputError
        If the file cannot be opened, or is of no known kind and no package reads others.
    """
    try:
        # A FIFO would be waited for.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            first = file.read(len(MATLAB_MAGIC)) if is_regular else b""
            if is_regular and _holds_hdf5(file):
                return Format.HDF5
    except OSError as error:
        raise InputError(
            f"the {what} {path} cannot be opened",
            why=error.strerror or str(error),
            do="check the path",
        ) from error
    for begins, found in (
        (ZIP_MAGIC, Format.NPZ),
        (NPY_MAGIC, Format.NPY),
        (MATLAB_MAGIC, Format.MATLAB5),
    ):
        if first.startswith(begins):
            return found
    if first and entry_points(ENTRY_POINTS):
        return Format.OTHER
    raise InputError(
        f"{path} is not a {what}",
        why=f"it begins with {first[: len(MAGIC)]!r}, which neither NPZ nor HDF5 files do"
        if first
        else "it is empty, or not a regular file",
        do="give an NPZ or HDF5 file; docs/readers.md lists what is read",
    )


def _holds_hdf5(file: BinaryIO) -> bool:
    for offset in USER_BLOCKS_BYTES:
        file.seek(offset)
        if (found := file.read(len(MAGIC))) == MAGIC:
            return True
        if not found:
            break
    return False

"""Which kind of file is this? Told by its first bytes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.hdf5 import MAGIC

ZIP_MAGIC = b"PK"
# What Python and NumPy raise where values are not what was expected of them.
_OF_CONTENT = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class Format(Enum):
    """Containers that arrays come in."""

    NPZ = "NPZ"
    HDF5 = "HDF5"


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
    """Tell NPZ from HDF5.

    Parameters
    ----------
    path : Path
    what : str
        What the file is wanted for, for the error.

    Raises
    ------
    InputError
        If the file cannot be opened or is neither.
    """
    try:
        # A FIFO would be waited for.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            first = file.read(len(MAGIC)) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError as error:
        raise InputError(
            f"the {what} {path} cannot be opened",
            why=error.strerror or str(error),
            do="check the path",
        ) from error
    if first == MAGIC:
        return Format.HDF5
    if first.startswith(ZIP_MAGIC):
        return Format.NPZ
    raise InputError(
        f"{path} is no {what}",
        why=f"it begins with {first!r}, as neither NPZ nor HDF5 files do"
        if first
        else "it is empty, or no regular file",
        do="give an NPZ or HDF5 file",
    )

"""Which kind of file is this? Told by its first bytes."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from ptyrun.errors import InputError
from ptyrun.ptycho.hdf5 import MAGIC

ZIP_MAGIC = b"PK"


class Format(Enum):
    """Containers that arrays come in."""

    NPZ = "NPZ"
    HDF5 = "HDF5"


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
        with path.open("rb") as file:
            first = file.read(len(MAGIC))
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
        why=f"it begins with {first!r}, as neither NPZ nor HDF5 files do",
        do="give an NPZ or HDF5 file",
    )

"""Which scan does a file hold? Told by what is in the file, not by its name."""

from __future__ import annotations

from pathlib import Path

from ptyrun.errors import InputError
from ptyrun.ptycho.contract import read_contract
from ptyrun.ptycho.measurement import Scan, Survey

__all__ = ["Scan", "Survey", "open_scan"]

ZIP_MAGIC = b"PK"


def open_scan(
    path: Path, diffraction_kind: str | None = None, cache_dir: Path | None = None
) -> Scan:
    """Open a scan without reading its frames.

    Parameters
    ----------
    path : Path
        An NPZ file.
    diffraction_kind : {"amplitude", "intensity"}, optional
        What the frames are, where the file does not tell.
    cache_dir : Path, optional
        Where compressed frames are unpacked once; without it they are held in memory.

    Raises
    ------
    InputError
        If the file is missing, unreadable or no scan.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except OSError as error:
        raise InputError(
            f"the scan {path} cannot be opened",
            why=error.strerror or str(error),
            do="check the path",
        ) from error
    if magic.startswith(ZIP_MAGIC):
        return read_contract(path, diffraction_kind, cache_dir)
    raise InputError(
        f"{path} is no scan",
        why=f"it begins with {magic!r}, which is no NPZ file",
        do="give an NPZ file",
    )

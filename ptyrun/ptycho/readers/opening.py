"""Which scan does a file hold? Told by what is in the file, not by its name."""

from __future__ import annotations

from pathlib import Path

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.cxi import is_cxi, read_cxi_scan
from ptyrun.ptycho.readers.formats import Format, format_of, whatever_is_in
from ptyrun.ptycho.readers.hdf5 import Hdf5File
from ptyrun.ptycho.readers.ptychodus import is_product, read_product_scan
from ptyrun.ptycho.readers.scan import Scan, Survey
from ptyrun.ptycho.readers.scan_npz import KINDS, read_contract

__all__ = ["Scan", "Survey", "open_scan"]


def open_scan(
    path: Path, diffraction_kind: str | None = None, cache_dir: Path | None = None
) -> Scan:
    """Open a scan without reading its frames.

    Parameters
    ----------
    path : Path
        An NPZ file, a CXI file, or a ptychodus product with its frames.
    diffraction_kind : {"amplitude", "intensity"}, optional
        What the frames are, where the file does not tell. HDF5 files hold intensity unless said.
    cache_dir : Path, optional
        Where compressed frames are unpacked once; without it they are held in memory.

    Raises
    ------
    InputError
        If the file is missing, unreadable or no scan.
    """
    if diffraction_kind not in (None, *KINDS):
        raise InputError(
            f"no diffraction is of kind {diffraction_kind!r}",
            why=f"known: {', '.join(KINDS)}",
            do="correct --diffraction-kind",
        )
    with whatever_is_in(path, "scan"):
        return _opened(path, diffraction_kind, cache_dir)


def _opened(path: Path, diffraction_kind: str | None, cache_dir: Path | None) -> Scan:
    if format_of(path, "scan") is Format.NPZ:
        return read_contract(path, diffraction_kind, cache_dir)
    file = Hdf5File(path)
    intensity = diffraction_kind != "amplitude"
    if is_cxi(file):
        return read_cxi_scan(file, intensity)
    if is_product(file):
        return read_product_scan(file, intensity)
    raise InputError(
        f"{path} is no scan",
        why="it has neither the layout of CXI (entry_1) nor that of a ptychodus product",
        do="give an NPZ file, a CXI file, or a ptychodus product with its diffraction",
    )

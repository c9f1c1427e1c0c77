"""Can the frames of an HDF5 file be unpacked here, and what is missing if not?"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path

import h5py

from ptyrun.errors import InputError

EXTRA = "ptyrun[hdf5]"
# Source: the registry of filters of The HDF Group, docs/RegisteredFilterPlugins.md of HDF5.
_LAST_OF_HDF5, _LZF = 255, 32000
NAMES = {
    1: "deflate",
    4: "szip",
    307: "bzip2",
    32000: "LZF",
    32001: "Blosc",
    32004: "LZ4",
    32008: "bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32017: "SZ",
    32018: "FCIDECOMP",
    32019: "JPEG",
    32024: "SZ3",
    32026: "Blosc2",
    32028: "SPERR",
}


def filters_of(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Numbers of the filters that a dataset is packed with."""
    plist = dataset.id.get_create_plist()
    return tuple(plist.get_filter(number)[0] for number in range(plist.get_nfilters()))


def require_filters(path: Path, dataset: h5py.Dataset) -> None:
    """See that a dataset can be unpacked; those of ``hdf5plugin`` are used where it is installed.

    Raises
    ------
    InputError
        If a filter is not installed; the error names it, and what installs it.
    """
    missing = _missing(dataset)
    if missing:
        with suppress(ImportError):
            import_module("hdf5plugin")
            missing = _missing(dataset)
    if missing:
        raise InputError(
            f"{dataset.name} of {path} needs a filter that is not installed: {_named(missing)}",
            why="it is compressed with a filter that HDF5 does not include; the file may be intact",
            do=f"pip install '{EXTRA}', or set HDF5_PLUGIN_PATH to the folder of its library, or "
            "repack the file with gzip where it is installed (h5repack -f GZIP=1)",
        )


def foreign_filters(dataset: h5py.Dataset) -> str:
    """Name the filters of a dataset that are neither HDF5's nor h5py's own; empty without one."""
    return _named([code for code in filters_of(dataset) if code > _LAST_OF_HDF5 and code != _LZF])


def _named(codes: list[int]) -> str:
    return ", ".join(f"filter {code} ({NAMES.get(code, 'unregistered')})" for code in codes)


def _missing(dataset: h5py.Dataset) -> list[int]:
    return [code for code in filters_of(dataset) if not h5py.h5z.filter_avail(code)]

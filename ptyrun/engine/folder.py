"""Is a run's folder made of files and folders of its own?

A folder in it that is a link would take what is written, and what is swept, to another place. The
run's folder itself may be reached through links.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

from ptyrun.errors import StorageError
from ptyrun.host import checksums, listing
from ptyrun.host.regular import refuse_foreign
from ptyrun.paths import RunPaths

_RESULTS = (
    "*_frc_curves.csv",
    "comparison_plot.*",
    "frc_plot*",
    "reconstructions*",
    checksums.NAME,
)
_ARRAYS = ("patches", "positions_px", "frames", "multiplicity", "normalisation")
_OBJECTS = (
    *("object", "coverage", "y", "x", "aligned", "aligned_truth", "aligned_covered"),
    *("aligned_y", "aligned_x", "common", "common_covered", "common_y", "common_x"),
    *("probe", "probe_y", "probe_x"),
)
_METADATA = "zarr.json"


def require_plain(paths: RunPaths, arms: Iterable[str] = ()) -> None:
    """See that nothing of a run's own is a link, a FIFO, a device or a socket.

    Parameters
    ----------
    paths : RunPaths
    arms : iterable of str
        Names of the run's arms, as far as they are known.

    Raises
    ------
    ForeignFileError
        If something is; the error names it.
    """
    for path in chain(_at_top(paths), _below_top(paths), _of_arms(paths, arms)):
        refuse_foreign(path)


def _at_top(paths: RunPaths) -> Iterator[Path]:
    own = paths.names()
    try:
        names = [entry.name for entry in listing.entries(paths.root)]
    except StorageError:
        names = sorted(own)
    # What is half written has its later name and more.
    patterns = (*_RESULTS, *(f"{name}.*" for name in own))
    for name in names:
        if name in own or any(fnmatchcase(name, pattern) for pattern in patterns):
            yield paths.root / name


def _below_top(paths: RunPaths) -> Iterator[Path]:
    """What lies in folders whose files are read, swept or moved as they are found there."""
    own = (paths.ledger, paths.cache, paths.steps, paths.planning, paths.unpublished)
    for folder in own:
        with suppress(StorageError):
            yield from [folder / entry.name for entry in listing.entries(folder)]


def _of_arms(paths: RunPaths, arms: Iterable[str]) -> Iterator[Path]:
    for store, names in ((paths.arrays, _ARRAYS), (paths.objects, _OBJECTS)):
        yield from (store / _METADATA, store / "index", store / "ground_truth")
        folders = [store / parent / arm for arm in arms for parent in ("", "index")]
        for folder in (*folders, store / "ground_truth"):
            yield from (folder, folder / _METADATA)
            with suppress(StorageError):  # looked into after it was seen to be no link
                there = [entry.name for entry in listing.entries(folder)]
                for name in filter(there.__contains__, names):
                    yield from (folder / name, folder / name / _METADATA)

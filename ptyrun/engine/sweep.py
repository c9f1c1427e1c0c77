"""What did killed sessions, and earlier versions, leave in a run that nothing reads any more?"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ptyrun.host import partials
from ptyrun.paths import RunPaths

_OF_EARLIER_VERSIONS = ("state.zarr",)  # a cache that is another file now


def sweep(paths: RunPaths, arms: Iterable[str], now_s: float) -> int:
    """Remove what killed writers, and earlier versions, left anywhere in a run. Never raises.

    Parameters
    ----------
    paths : RunPaths
    arms : iterable of str
    now_s : float
        Seconds since the epoch by the clock of the run's file system.

    Returns
    -------
    int
        How many files and folders were removed.
    """
    own = tuple(f"{name}." for name in (*paths.names(), *_OF_EARLIER_VERSIONS))
    removed = partials.sweep(paths.root, now_s, lambda name: name.startswith(own))
    groups = [paths.arrays, paths.arrays / "index"]
    for arm in arms:
        groups += [*_with_inner(paths.arrays / arm), *_with_inner(paths.arrays / "index" / arm)]
    for folder in (paths.claims, paths.cache, *groups):
        removed += partials.sweep(folder, now_s)
    for name in _OF_EARLIER_VERSIONS:
        with suppress(OSError):
            partials.remove(paths.root / name)
            removed += 1
    return removed


def _with_inner(group: Path) -> list[Path]:
    """An arm's zarr group and its arrays."""
    with suppress(OSError):
        return [group, *(path for path in group.iterdir() if path.is_dir())]
    return []

"""What do installed packages offer? Their entry points, read anew when something is installed."""

from __future__ import annotations

import importlib.metadata
import sys
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path


def entry_points(group: str) -> tuple[EntryPoint, ...]:
    """Which entry points of *group* the packages offer that can be imported.

    To find them, the metadata of every installed package are read: hundreds of small files, which
    each model and each scan that is opened would cost again.

    Parameters
    ----------
    group : str
        Such as ``ptyrun.readers``.

    Returns
    -------
    tuple of EntryPoint
        In the order in which packages are found.
    """
    return _read(group, tuple((folder, _changed_ns(folder)) for folder in sys.path))


@lru_cache(maxsize=16)
def _read(group: str, _folders: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    return tuple(importlib.metadata.entry_points(group=group))


def is_installed(module: str) -> bool:
    """Whether there is a module of that name; it is not imported, though what it lies in is."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a finder's own, and of a module that is half there
        return False


def _changed_ns(folder: str) -> int:
    """When something was last installed into *folder*."""
    with suppress(OSError):
        return Path(folder).stat().st_mtime_ns
    return 0

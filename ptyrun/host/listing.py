"""What lies in a folder, if the disk tells?

`Path.glob` and `os.walk` leave out what may not or cannot be listed, and that reads as "nothing is
there": results would be taken for complete, and what is left for a left-over. Here a folder that is
not there is empty, and one that the disk refuses to list is an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from ptyrun.errors import GoneError
from ptyrun.host import durable


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """List what lies right in *folder*, sorted by name.

    Raises
    ------
    StorageError
        If the disk refuses, or something other than a folder stands there.
    """
    try:
        with durable.storage_errors(folder, "list"), os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except GoneError:
        return []


def each(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Give what lies right in *folder* one by one, in no order, for folders of a million files.

    Raises
    ------
    StorageError
        As `entries`.
    """
    try:
        with durable.storage_errors(folder, "list"), os.scandir(folder) as found:
            yield from found
    except GoneError:
        return


def matching(folder: Path, *patterns: str) -> list[Path]:
    """List what in *folder* has a name like one of the patterns, sorted; raises as `entries`."""
    names = (entry.name for entry in entries(folder))
    return [folder / name for name in names if any(fnmatchcase(name, each) for each in patterns)]


def files_below(folder: Path) -> Iterator[Path]:
    """Find every file in *folder* and its folders, links to files included; raises as `entries`."""
    left = [(folder, True)]
    while left:
        path, is_folder = left.pop()
        if is_folder:
            left += reversed([*_what_is_in(path)])
        else:
            yield path


def folders_below(folder: Path) -> Iterator[Path]:
    """Find every folder in *folder* and its folders; raises as `entries`."""
    left = [folder]
    while left:
        here = left.pop()
        if here is not folder:
            yield here
        left += reversed([path for path, is_folder in _what_is_in(here) if is_folder])


def _what_is_in(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Give folders, and whatever else is a file or leads to one; whether it is a folder."""
    for entry in entries(folder):
        path = folder / entry.name
        with durable.storage_errors(path, "read"):
            is_folder, is_file = entry.is_dir(follow_symlinks=False), entry.is_file()
        if is_folder or is_file:
            yield path, is_folder

"""How is a folder deleted, or walked through, however deep it is and whoever filled it?

`shutil.rmtree`, `os.walk` and `Path.rglob` call themselves for each folder in a folder: a few
thousand of them, one in another, end the process that only wanted to tidy up.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class _Level:
    """A folder on the way down: which one it is, its name further up, folders in it still to go."""

    identity: os.stat_result
    name: str
    left: list[str] = field(default_factory=list)


def remove(folder: Path) -> None:
    """Delete a folder and all that is in it; links in it are deleted, and not followed.

    Raises
    ------
    OSError
        As the system says; what comes after is left. Also if *folder* is a link.
    """
    _Removal(is_strict=True).run(folder)


def discard(folder: Path, *, whatever_modes: bool = False) -> None:
    """Delete a folder and all in it that can be deleted; never raises.

    With *whatever_modes*, folders in it that forbid that to their owner no longer do: of what
    foreign code left, none asks to be kept.
    """
    with suppress(OSError):
        _Removal(is_strict=False, changes_modes=whatever_modes).run(folder)


class _Removal:
    """Goes down and up by descriptors: no path gets too long, no link leads elsewhere."""

    def __init__(self, *, is_strict: bool, changes_modes: bool = False) -> None:
        self._is_strict = is_strict
        self._changes_modes = changes_modes

    @contextmanager
    def _allowed(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            if self._is_strict:
                raise

    def run(self, folder: Path) -> None:
        sys.audit("shutil.rmtree", str(folder), None)
        here = self._opened(folder)
        try:
            levels = [self._emptied(here, "")]
            while True:
                level = levels[-1]
                if level.left:
                    name = level.left.pop()
                    with self._allowed():
                        below = self._opened(name, here)
                        os.close(here)
                        here = below
                        levels.append(self._emptied(here, name))
                    continue
                levels.pop()
                if not levels:
                    break
                above = os.open("..", _FOLDER, dir_fd=here)
                os.close(here)
                here = above
                if not os.path.samestat(os.fstat(here), levels[-1].identity):
                    raise OSError(f"{folder} was changed while it was deleted")
                with self._allowed():
                    os.rmdir(level.name, dir_fd=here)
        finally:
            os.close(here)
        with self._allowed():
            folder.rmdir()

    def _opened(self, name: str | Path, above: int | None = None) -> int:
        if self._changes_modes:
            with suppress(OSError):
                _give_to_its_owner(name, above)
        return os.open(name, _FOLDER, dir_fd=above)

    def _emptied(self, here: int, name: str) -> _Level:
        """Delete what is no folder in the one that is open."""
        level = _Level(os.fstat(here), name)
        with self._allowed(), os.scandir(here) as entries:
            for entry in entries:
                with self._allowed():
                    if entry.is_dir(follow_symlinks=False):
                        level.left.append(entry.name)
                    else:
                        os.unlink(entry.name, dir_fd=here)
        return level


def _give_to_its_owner(name: str | Path, above: int | None) -> None:
    """Let the owner of a folder list and change it; a link is not followed."""
    mode = os.stat(name, dir_fd=above, follow_symlinks=False).st_mode
    if not stat.S_ISDIR(mode) or mode & stat.S_IRWXU == stat.S_IRWXU:
        return
    if not hasattr(os, "O_PATH"):
        os.chmod(name, stat.S_IRWXU, dir_fd=above, follow_symlinks=False)
        return
    handle = os.open(name, os.O_PATH | _FOLDER, dir_fd=above)
    try:
        Path(f"/proc/self/fd/{handle}").chmod(stat.S_IRWXU)
    finally:
        os.close(handle)


def walk(folder: Path, *, is_strict: bool = False) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Give each folder with the names of folders and of other things in it, as `os.walk` does.

    Links to folders are among the others. Folders that are taken out of the list are not gone into.

    Raises
    ------
    OSError
        With *is_strict*, where a folder cannot be listed; else it is left out.
    """
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        folders: list[str] = []
        others: list[str] = []
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    (folders if is_folder else others).append(entry.name)
        except OSError:
            if is_strict:
                raise
            continue
        yield here, folders, others
        waiting += (here / name for name in reversed(folders))

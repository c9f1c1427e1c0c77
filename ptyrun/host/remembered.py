"""What did this user's own processes find out about files?

Kept in the user's cache folder, outside of all runs: a run's folder may come from somebody else,
and whatever lies in it could have been put there by its sender. Facts are about a file as it is, by
inode, size and times; a change of content changes ctime, which no user program can set back. May be
deleted at any time. Never raises, and says no where it is not sure.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

MOST = 1000


class Remembered:
    """Facts of one kind, each an empty file whose name is the digest of what it says."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._is_tidy = False

    def holds(self, fact: str) -> bool:
        """Whether this user found *fact* earlier."""
        with suppress(OSError):
            found = self._path(fact).lstat()
            return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        return False

    def add(self, fact: str) -> None:
        """Keep *fact*, where there is a place for it."""
        with suppress(OSError):
            path = self._path(fact)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            if not self._is_tidy:  # once: with every fact, the list would take longer than the fact
                self._forget_old(path.parent)
                self._is_tidy = True

    def _path(self, fact: str) -> Path:
        # https://specifications.freedesktop.org/basedir-spec
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
        return Path(home) / "ptyrun" / self._kind / hashlib.sha256(fact.encode()).hexdigest()

    def _forget_old(self, folder: Path) -> None:
        entries = list(folder.iterdir())
        if len(entries) > MOST:
            entries.sort(key=lambda entry: entry.lstat().st_mtime)
            for old in entries[: MOST // 2]:
                old.unlink(missing_ok=True)


def identity(found: os.stat_result) -> str:
    """Tell a file as it is from any other, and from what it was or will be."""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"

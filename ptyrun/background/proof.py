"""Does a process prove that it is the session which a document names?

A ``process.json`` may come from anybody and name any process. So the kernel is asked: a session
holds the run's ``process.lock``, and it and all its children carry its token in the environment
that they were started with.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from ptyrun.errors import ForeignFileError
from ptyrun.host.regular import open_regular

TOKEN = "PTYRUN_SESSION"
_LOCKS = Path("/proc/locks")


def new_token() -> str:
    """Name a session as no other is."""
    return secrets.token_hex(16)


def own_token(pid: int) -> str | None:
    """Token that process *pid* gave itself before it was the session; None if it did not."""
    token = os.environ.get(TOKEN, "")
    return token if token.startswith(f"{pid}-") else None


def carries(pid: int, token: str) -> bool:
    """Tell whether a process was started with *token*; what cannot be read was not."""
    with suppress(psutil.Error, OSError):
        return bool(token) and psutil.Process(pid).environ().get(TOKEN) == token
    return False


def holds(pid: int, lock: Path) -> bool:
    """Tell whether the kernel knows *pid* as the holder of *lock*.

    Where the kernel does not say who holds a lock, it is enough that it is held.
    """
    try:
        with open_regular(lock) as stream:
            found = os.fstat(stream.fileno())
            if found.st_nlink != 1:  # it may be the lock of something else
                return False
            holders = set(_holders(found.st_ino))
            return pid in holders if holders else _is_held(stream.fileno())
    except (OSError, ForeignFileError):
        return False


def _holders(inode: int) -> Iterator[int]:
    with suppress(OSError):
        for line in _LOCKS.read_text().splitlines():
            # 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF; "->" marks one who waits.
            words = line.split()
            if len(words) > 5 and words[1] != "->" and words[5].rpartition(":")[2] == str(inode):
                yield int(words[4])


def _is_held(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # held; or a file system without locks, where the token has to do
        return True
    return False

"""Whose is a half-written file, and does its writer still live?

What is written all or nothing is written under a name that nothing reads, and that names the
process which writes it: ``manifest.json.<machine>-<pid>-<start>.<random>.partial``. Here a dead
writer is told by its process. One of another machine, and one of a program that does not say who it
is, is believed alive for a day, by the clock of the file system that holds the file.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from secrets import token_hex

from ptyrun.host import trees
from ptyrun.host.processes import Process, pid_namespace

PARTIAL = ".partial"
STRANGERS_S = 86400.0
_TICKS = 100  # of a process's start, per second
_NAME = re.compile(
    rf"\.(?P<machine>[0-9a-f]{{12}})-(?P<pid>\d+)-(?P<start>\d+)\.[0-9a-f]{{8}}{re.escape(PARTIAL)}$"
)


def name(path: Path) -> Path:
    """Name a file or folder beside *path* that this process alone writes."""
    return path.with_name(f"{path.name}.{_writer(os.getpid())}.{token_hex(4)}{PARTIAL}")


@cache
def _writer(pid: int) -> str:
    process = Process.current()
    return f"{_machine()}-{pid}-{round(process.started_s * _TICKS)}"


@cache
def _machine() -> str:
    """Where PIDs mean what they mean here: this boot of this host, this container."""
    here = Process.current()
    text = "\n".join((here.host, here.boot_id, pid_namespace()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def is_alive(name: str) -> bool | None:
    """Tell whether the process that writes the file of this name runs; None if that is unknown."""
    found = _NAME.search(name)
    if found is None or found["machine"] != _machine():
        return None
    here = Process.current()
    started_s = int(found["start"]) / _TICKS
    return Process(here.host, here.boot_id, int(found["pid"]), started_s).is_alive()


def sweep(folder: Path, now_s: float, wanted: Callable[[str], bool] = lambda name: True) -> int:
    """Remove what dead writers left half written in *folder*. Never raises.

    Parameters
    ----------
    folder : Path
        Not searched recursively.
    now_s : float
        Seconds since the epoch by the clock of the folder's file system.
    wanted : callable
        Given its name, tells whether such a thing may be removed.

    Returns
    -------
    int
        How many things were removed.
    """
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith(PARTIAL) or not wanted(entry.name):
                continue
            with suppress(OSError, ValueError):
                alive = is_alive(entry.name)
                if alive is None:
                    age_s = now_s - entry.stat(follow_symlinks=False).st_mtime
                    alive = age_s < STRANGERS_S
                if not alive:
                    remove(Path(entry.path))
                    removed += 1
    return removed


def remove(path: Path) -> None:
    """Delete a file, a link or a whole folder. Raises what the disk says."""
    if stat.S_ISDIR(path.lstat().st_mode):
        trees.remove(path)
    else:
        path.unlink()

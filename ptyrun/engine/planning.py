"""Who plans this run now? One process at a time; the others find what it planned.

The kernel frees the lock when its holder dies.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Self

from filelock import FileLock, Timeout

from ptyrun.engine import durable
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher


class PlanLock:
    """Held from when a run's manifest is read until the next one is written.

    Parameters
    ----------
    paths : RunPaths
        The run's folder; made if missing.
    watcher : Watcher
        Told when another process is waited for.

    Raises
    ------
    StorageError
        On entering, if the disk refuses.
    """

    def __init__(self, paths: RunPaths, watcher: Watcher) -> None:
        self._paths = paths
        self._watcher = watcher
        self._held: FileLock | None = None

    def __enter__(self) -> Self:
        self._acquire()
        return self

    def __exit__(self, *exc: object) -> None:
        self._release()

    def follow(self) -> None:
        """Hold the folder that now stands where the one stood that this process set aside.

        Another process may have held it, and planned in it, before.
        """
        self._release()
        self._acquire()

    def _acquire(self) -> None:
        # Whoever held the folder may have set it aside meanwhile: what counts is the one that
        # stands there now, and while its lock is held nobody sets it aside.
        while not self._holds_what_stands_there():
            self._release()

    def _holds_what_stands_there(self) -> bool:
        # A folder that is set aside at this moment: it stands there when it is made (by the lock,
        # too), and is gone when it is looked at.
        gone = suppress(FileNotFoundError, FileExistsError)
        with gone, durable.storage_errors(self._paths.claims):
            durable.make_folder(self._paths.claims)
            before = self._paths.root.stat()
            self._held = self._locked()
            after = self._paths.root.stat()
            return (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino)
        return False

    def _locked(self) -> FileLock:
        lock = FileLock(self._paths.claims / "plan.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._watcher.note("another process plans this run: it is waited for")
            lock.acquire()
        return lock

    def _release(self) -> None:
        if self._held is not None:
            self._held.release()
            self._held = None

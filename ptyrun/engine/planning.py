"""Who plans this run now, and does its plan still stand?

One process plans at a time; the others find what it planned. The kernel frees the lock when its
holder dies.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Self

from filelock import FileLock, Timeout

from ptyrun.engine import durable
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import InputError, ReplacedError
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


class CurrentPlan:
    """The plan that a session works on, held against the one in the folder.

    Asked before each commit, it costs one `stat` as long as nobody writes the manifest again.

    Parameters
    ----------
    paths : RunPaths
    manifest : Manifest
        The session's own.
    """

    def __init__(self, paths: RunPaths, manifest: Manifest) -> None:
        self._paths = paths
        self._manifest = manifest
        self._seen: tuple[int, ...] = ()

    def insist(self) -> None:
        """See that nobody replaced the plan.

        Raises
        ------
        ReplacedError
            If the folder has another manifest, or none.
        DamageError, SchemaError
            If its manifest is not what ptyrun wrote.
        StorageError
            If the disk refuses to say.
        """
        identity = self._identity()
        if identity and identity == self._seen:
            return
        digest = self._digest() if identity else None
        if digest != self._manifest.digest:
            now = f"is {digest[:12]}…" if digest else "is gone"
            raise ReplacedError(
                f"the plan of {self._paths.root} was replaced under this session",
                why=f"its manifest was {self._manifest.digest[:12]}…, {now}: another command "
                "planned this folder anew, moved or deleted it",
                do="run the same command again; it works on the plan that is there then",
            )
        self._seen = identity

    def _identity(self) -> tuple[int, ...]:
        try:
            with durable.storage_errors(self._paths.manifest):
                found = self._paths.manifest.stat()
        except FileNotFoundError:
            return ()
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _digest(self) -> str | None:
        try:
            return Manifest.load(self._paths.manifest).digest
        except InputError:
            return None

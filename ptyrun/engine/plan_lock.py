"""Who plans this run now, and does its plan still stand?

One process plans at a time; the others find what it planned. A lock whose holder dies is free.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from ptyrun.engine.manifest import Manifest
from ptyrun.errors import ForeignFileError, GoneError, InputError, ReplacedError
from ptyrun.host import durable
from ptyrun.host.locks import Lock, exclude
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher

MOVING_S = 30.0
LOCK = "plan.lock"


class PlanLock:
    """Held from when a run's manifest is read until the next one is written.

    Parameters
    ----------
    paths : RunPaths
        The run's folder; made if missing.
    watcher : Watcher
        Told which other process is waited for.
    wait_s : float
        How long to wait for it.
    is_closing : callable
        Whether the session that waits has to end.

    Raises
    ------
    StorageError
        On entering, if the disk refuses.
    BusyError
        On entering, if another process plans for longer, or is stopped; the error names it.
    """

    def __init__(
        self,
        paths: RunPaths,
        watcher: Watcher,
        *,
        wait_s: float = math.inf,
        is_closing: Callable[[], bool] = lambda: False,
    ) -> None:
        self._paths = paths
        self._watcher = watcher
        self._wait_s = wait_s
        self._is_closing = is_closing
        self._held: Lock | None = None

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
        give_up_s = time.monotonic() + MOVING_S
        while not self._holds_what_stands_there():
            self._release()
            if time.monotonic() > give_up_s:
                raise GoneError(
                    f"{self._paths.root} cannot be planned in",
                    why="it disappeared each time it was made",
                    do="find out what renames or deletes it, then run again",
                )

    def _holds_what_stands_there(self) -> bool:
        # A folder that is set aside at this moment: it stands there when it is made (by the lock,
        # too), and is gone when it is looked at.
        with suppress(GoneError), durable.storage_errors(self._paths.claims):
            durable.make_folder(self._paths.root)
            durable.make_hint_folder(self._paths.claims)
            before = self._paths.root.stat()
            self._held = self._locked()
            after = self._paths.root.stat()
            return (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino)
        return False

    def _locked(self) -> Lock:
        lock = Lock(self._paths.claims / LOCK, say=self._watcher.warn)
        exclude(
            lock,
            "plans this run",
            wait_s=self._wait_s,
            is_closing=self._is_closing,
            note=self._watcher.note,
        )
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

    def raise_if_failed(self) -> None:
        """See that nobody replaced the plan.

        Raises
        ------
        ReplacedError
            If the folder has another manifest, or none.
        DamageError, SchemaError
            If its manifest is not what ptyrun wrote.
        ForeignFileError
            If links, FIFOs or the like lie in the run's folder.
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
                f"the plan of {self._paths.root} was replaced during this session",
                why=f"its manifest was {self._manifest.digest[:12]}…, {now}: another command "
                "planned this folder again, moved or deleted it",
                do="run the same command again; it works on the plan that is there then",
            )
        self._seen = identity

    def _identity(self) -> tuple[int, ...]:
        try:
            with durable.storage_errors(self._paths.manifest):
                found = self._paths.manifest.stat()
        except GoneError:
            return ()
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _digest(self) -> str | None:
        try:
            return Manifest.of(self._paths).digest
        except ForeignFileError:
            raise
        except InputError:
            return None

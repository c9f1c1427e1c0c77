"""Who works on what now?

Hints that save work and never guard correctness: chunks are deterministic and published atomically,
so that two workers on one chunk waste time and nothing else. Each session holds one lock file for
its life and names the chunks it works on in one small file beside it; a board lock is held while
choosing. On one host the kernel frees the locks when a process dies; on a shared folder they are
leases with a heartbeat. Everything here may be deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, SoftFileLease, Timeout

from ptyrun.engine import durable
from ptyrun.errors import StorageError

BOARD = "board"
LOCK = ".lock"
LEASE = ".lease"
CLAIM = ".claim"

LEASE_S = 30.0
BOARD_TIMEOUT_S = 60.0


class Claims:
    """What a session claims, and what the others do.

    Parameters
    ----------
    folder : Path
        The run's ``claims`` folder; made if missing.
    session : str
    shared : bool
        Whether workers on several hosts share the folder.
    lease_s : float
        How long a silent worker on a shared folder is believed alive; the same for all workers.
    """

    def __init__(
        self, folder: Path, session: str, *, shared: bool = False, lease_s: float = LEASE_S
    ) -> None:
        self._folder = folder
        self._session = session
        self._shared = shared
        self._lease_s = lease_s
        durable.make_folder(folder)
        self._life = self._lock(session)
        with suppress(Timeout), durable.storage_errors(folder):
            self._life.acquire()
        # A lease is judged by how long this process saw it unchanged, so the locks are kept.
        self._peers: dict[str, Any] = {}
        self._mine: dict[str, list[tuple[int, int]]] = {}
        self._dead: set[str] = set()

    def _lock(self, name: str) -> Any:
        if self._shared:
            return SoftFileLease(
                self._folder / f"{name}{LEASE}",
                lease_duration=self._lease_s,
                thread_local=False,
                timeout=BOARD_TIMEOUT_S,
            )
        return FileLock(self._folder / f"{name}{LOCK}", thread_local=False, timeout=BOARD_TIMEOUT_S)

    @contextmanager
    def board(self) -> Iterator[None]:
        """Hold while choosing, so that two workers do not choose alike.

        A board that stays taken is passed by: at worst work is done twice.
        """
        board = self._lock(BOARD)
        with suppress(Timeout), durable.storage_errors(self._folder):
            board.acquire()
        try:
            yield
        finally:
            with suppress(OSError):
                board.release()

    def take(self, arm: str, chunks: range) -> None:
        """Name *chunks* as this session's."""
        self._mine.setdefault(arm, []).append((chunks.start, chunks.stop))
        self._post()

    def drop(self, arm: str, chunks: range) -> None:
        """Let go of *chunks*, done or not."""
        with suppress(KeyError, ValueError):
            self._mine[arm].remove((chunks.start, chunks.stop))

    def _post(self) -> None:
        # A hint that cannot be written is no reason to stop: the chunk itself will say why.
        with suppress(StorageError, OSError):
            text = json.dumps(self._mine)
            durable.write_hint(self._folder / f"{self._session}{CLAIM}", text.encode())

    def others(self, arm: str) -> set[int]:
        """Chunks of *arm* that living sessions other than this one work on."""
        taken: set[int] = set()
        for path in self._folder.glob(f"*{CLAIM}"):
            if path.stem == self._session:
                continue
            if not self.is_alive(path.stem):
                self._forget(path.stem)
                continue
            with suppress(OSError, ValueError, TypeError, AttributeError):
                for start, stop in json.loads(path.read_bytes()).get(arm, ()):
                    taken.update(range(start, stop))
        return taken

    def is_alive(self, session: str) -> bool:
        """Tell whether *session* still holds the lock of its life."""
        if session == self._session:
            return True
        if session in self._dead:
            return False
        lock = self._peers.setdefault(session, self._lock(session))
        if not Path(lock.lock_file).exists():
            return False
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            return True
        lock.release()
        self._dead.add(session)
        return False

    def _forget(self, session: str) -> None:
        for suffix in (CLAIM, LOCK, LEASE):
            with suppress(OSError):
                (self._folder / f"{session}{suffix}").unlink()

    def close(self) -> None:
        """Let go of everything."""
        with suppress(OSError):
            self._life.release()
        self._forget(self._session)

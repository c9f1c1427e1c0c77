"""Who works on what now?

Hints that save work and never guard correctness: chunks are deterministic and published atomically,
so that two workers on one chunk waste time and nothing else. Each session holds one lock for its
life and names the chunks it works on in one small file beside it; a board lock is held while
choosing. On one host the kernel frees the locks when a process dies; on a shared folder they are
files that beat. Everything here may be deleted at any time, and no trouble with it ends a session.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from ptyrun.errors import ForeignFileError, StorageError
from ptyrun.host import durable, listing, locks
from ptyrun.host.heartbeat import Sight
from ptyrun.host.locks import Hint, Lock
from ptyrun.host.regular import read_regular
from ptyrun.host.typed_json import parse_object

BOARD = "board"
LOCK = ".lock"
LEASE = ".lease"
CLAIM = ".claim"

LEASE_S = 30.0
_SESSION = re.compile(r"\d{6,}-[^.]+")
MAX_CLAIM_CHUNKS = 2**20  # a file that claims more makes no sense
MAX_CLAIM_BYTES = 2**24


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
    is_closing : callable
        Whether this session has to end: then nothing is waited for.
    """

    def __init__(
        self,
        folder: Path,
        session: str,
        *,
        shared: bool = False,
        lease_s: float = LEASE_S,
        is_closing: Callable[[], bool] = lambda: False,
    ) -> None:
        self._folder = folder
        self._session = session
        self._shared = shared
        self._lease_s = lease_s
        self._life = Lock(self._lock_path(session), everywhere=shared, silent_s=lease_s)
        self._board = Hint(self._lock_path(BOARD), everywhere=shared, is_closing=is_closing)
        # A silent worker is judged by how long this process saw it so: the looks are kept.
        self._peers: dict[str, Callable[[], Sight]] = {}
        self.n_others = 0  # workers beside this one, when last looked for
        self._mine: dict[str, list[tuple[int, int]]] = {}
        # Not again where it is deleted: then others take over what this session still works on.
        with suppress(StorageError):
            durable.make_hint_folder(folder)
            self._life.acquire(locks.HINT_S)
        self._forget_dead()

    def _lock_path(self, name: str) -> Path:
        return self._folder / f"{name}{LEASE if self._shared else LOCK}"

    def board(self) -> AbstractContextManager[None]:
        """Hold while choosing, so that two workers do not choose alike.

        A board that stays taken is passed by: at worst work is done twice.
        """
        return self._board.held()

    def take(self, arm: str, chunks: range) -> None:
        """Name *chunks* as this session's."""
        self._mine.setdefault(arm, []).append((chunks.start, chunks.stop))
        self._post()

    def drop(self, arm: str, chunks: range) -> None:
        """Let go of *chunks*, done or not."""
        with suppress(KeyError, ValueError):
            self._mine[arm].remove((chunks.start, chunks.stop))

    def _post(self) -> None:
        # A hint that cannot be written is not a reason to stop: the chunk itself will say why.
        with suppress(StorageError, OSError):
            text = json.dumps(self._mine)
            durable.write_hint(self._folder / f"{self._session}{CLAIM}", text.encode())

    def others(self, arm: str) -> set[int]:
        """Chunks of *arm* that living sessions other than this one work on."""
        taken: set[int] = set()
        n_others = 0
        for path in self._posted():
            if path.stem == self._session:
                continue
            if not self.is_alive(path.stem):
                self._forget(path.stem)
                continue
            n_others += 1
            with suppress(OSError, ForeignFileError, ValueError, TypeError, OverflowError):
                left = MAX_CLAIM_CHUNKS
                for start, stop in parse_object(read_regular(path, MAX_CLAIM_BYTES)).get(arm, ()):
                    left -= len(range(start, stop))
                    if left < 0:
                        break
                    taken.update(range(start, stop))
        self.n_others = n_others
        return taken

    def _forget_dead(self) -> None:
        """Take away what sessions left that were killed, or that the disk refused to let clean."""
        with suppress(StorageError):
            names = [entry.name for entry in listing.entries(self._folder)]
            ended = (name.removesuffix(end) for name in names for end in (CLAIM, LOCK, LEASE))
            for session in sorted(set(filter(_SESSION.fullmatch, ended))):
                if not self.is_alive(session):
                    self._forget(session)

    def _posted(self) -> list[Path]:
        with suppress(OSError):
            return list(self._folder.glob(f"*{CLAIM}"))
        return []

    def is_alive(self, session: str) -> bool:
        """Tell whether *session* still holds the lock of its life."""
        if session == self._session:
            return True
        look = self._peers.get(session)
        if look is None:
            path = self._lock_path(session)
            look = locks.watch(path, everywhere=self._shared, silent_s=self._lease_s)
            self._peers[session] = look
        return look() is not Sight.FREE

    def _forget(self, session: str) -> None:
        for suffix in (CLAIM, LOCK, f"{LOCK}{locks.HELD}", LEASE):
            with suppress(OSError):
                (self._folder / f"{session}{suffix}").unlink()

    def close(self) -> None:
        """Let go of everything."""
        self._life.release()
        self._forget(self._session)

"""Which process may do this now, and how long do the others wait for it?

Every lock of ptyrun goes through here. Where the file system has locks, the kernel frees them when
their holder dies; where it has none, and among hosts, a file that beats takes their place (see
`heartbeat`). A `Hint` saves work and guards nothing: it neither raises nor waits for longer than a
second. A `Lock` excludes: who waits for it is told who holds it.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import math
import os
import random
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from ptyrun.errors import BusyError, ClosedWhileWaitingError, ForeignFileError, StorageError
from ptyrun.host import durable
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.heartbeat import SILENT_S, BeatingFile, Holder, Sight, Watch, stands_at
from ptyrun.host.regular import read_regular

log = logging.getLogger(__name__)

# What a file system without locks answers: Lustre without -o flock, NFS without lockd, some FUSE.
_MOST_BYTES = 1 << 16  # that a holder says of itself
NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})
NO_LOCKS_SAID = "no locks"
HELD = ".held"
HINT_S = 1.0
POLL_S = 0.05
LOOK_S = 0.002  # a look from outside shares the kernel's lock for less than this,
LOOKS_S = 1.0  # and looks follow one another for less than this
STOPPED_S = 10.0  # a holder that is stopped for as long is named, and not waited for any longer
REMINDER_S = 60.0

Say = Callable[[str], None]
_said: set[str] = set()


def _never() -> bool:
    return False


def say_once(key: str, text: str, say: Say) -> None:
    """Tell *text*, the first time that this process has reason to."""
    if key not in _said:
        _said.add(key)
        say(text)


class Lock:
    """One file that one process at a time holds, until it lets go or dies.

    Parameters
    ----------
    path : Path
        In an existing folder.
    everywhere : bool
        Whether processes of several hosts ask for it: then a beating file in any case.
    silent_s : float
        How long a silent holder out of sight is believed alive; the same for all who ask.
    momentary : bool
        Whether it is held for a moment only: then its holder need not show that it lives.
    say : callable
        Told, once, of a file system without locks.
    """

    def __init__(
        self,
        path: Path,
        *,
        everywhere: bool = False,
        silent_s: float = SILENT_S,
        momentary: bool = False,
        say: Say = log.warning,
    ) -> None:
        self.path = path
        self._has_kernel = not everywhere
        self._say = say
        self._handle = -1
        beat_s = None if momentary else min(1.0, silent_s / 4)
        self._signs = not momentary
        self._file = BeatingFile(_beating(path, everywhere), beat_s)
        self._watch = Watch(self._file.path, silent_s)

    def try_acquire(self) -> bool:
        """Take it if it is free. Raises `StorageError` if the disk refuses."""
        with durable.storage_errors(self.path):
            if self._has_kernel:
                try:
                    return self._try_kernel()
                except OSError as error:
                    if error.errno not in NO_LOCKS:
                        raise
                    self._has_kernel = False
                    text = f"the file system of {self.path.parent} has no locks"
                    how = f"{error.strerror}; files named *{HELD} take their place"
                    say_once(NO_LOCKS_SAID, f"{text} ({how})", self._say)
            return self._try_file()

    def _try_kernel(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(self.path, flags, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EEXIST, "no plain file")
            if not _taken(handle):
                return False
            if stands_at(handle, self.path):  # else it was deleted meanwhile: another one counts
                self._handle, handle = handle, -1
                if self._signs:
                    self._sign()
                return True
        finally:
            if handle >= 0:
                os.close(handle)
        return False

    def _sign(self) -> None:
        with suppress(OSError):
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, Holder.current().to_bytes(), 0)

    def _try_file(self) -> bool:
        if self._file.create():
            return True
        if self._watch.look() is not Sight.FREE:
            return False
        self._watch.take_away()
        return self._file.create()

    def acquire(
        self,
        wait_s: float = math.inf,
        is_closing: Callable[[], bool] = _never,
        meanwhile: Callable[[float], None] = lambda waited_s: None,
    ) -> bool:
        """Wait for it; False if it is still held when the time is up, or this session closes.

        A holder out of sight is waited for until it is known whether it lives.
        """
        began_s = time.monotonic()
        while not self.try_acquire():
            waited_s = time.monotonic() - began_s
            undecided = not self._has_kernel and self._watch.look() is Sight.UNDECIDED
            if is_closing() or (waited_s >= wait_s and not undecided):
                return False
            meanwhile(waited_s)
            time.sleep(POLL_S)
        return True

    @property
    def is_held(self) -> bool:
        """Whether this object holds it."""
        return self._handle >= 0 or self._file.is_open

    def holder(self) -> Holder | None:
        """Name the process that holds it, if it has said who it is."""
        return holder_of(self.path if self._has_kernel else self._file.path)

    def release(self) -> None:
        """Let go of it; a second call does nothing."""
        if self._handle >= 0:
            if self._signs:
                with suppress(OSError):
                    os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = -1
        self._file.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def _taken(handle: int) -> bool:
    """Take the kernel's lock, past those who only look whether it is held."""
    until_s = time.monotonic() + LOOKS_S
    while not _has_locked(handle, fcntl.LOCK_EX):
        if not _has_locked(handle, fcntl.LOCK_SH) or time.monotonic() > until_s:
            return False
        fcntl.flock(handle, fcntl.LOCK_UN)
        time.sleep(random.uniform(0, LOOK_S))  # not in step with others who want it
    return True


def _has_locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder_of(path: Path) -> Holder | None:
    """Name the process that the file of a held lock speaks of; None if it does not say."""
    try:
        return Holder.from_bytes(read_regular(path, _MOST_BYTES))
    except (OSError, ForeignFileError):
        return None


def _beating(path: Path, everywhere: bool) -> Path:
    return path if everywhere else path.with_name(f"{path.name}{HELD}")


def exclude(
    lock: Lock,
    what: str,
    *,
    wait_s: float = math.inf,
    is_closing: Callable[[], bool] = _never,
    note: Say = log.info,
) -> None:
    """Take *lock*, and say who is waited for.

    Parameters
    ----------
    lock : Lock
    what : str
        What its holder does, like ``plans this run``.
    wait_s : float
        How long to wait. A holder that is stopped is waited for `STOPPED_S` at most.
    is_closing : callable
        Whether the session that waits has to end; asked again and again.
    note : callable
        Told at once who is waited for, and again every minute.

    Raises
    ------
    BusyError
        If the time is up; the error names the holder.
    ClosedWhileWaitingError
        If the session has to end before.
    StorageError
        If the disk refuses.
    """
    told_s = -math.inf
    stopped_since_s: float | None = None

    def tell(waited_s: float) -> None:
        nonlocal told_s
        if waited_s - told_s >= REMINDER_S:
            told_s = waited_s
            ATTEMPTS.withdraw(has_waited=True)  # no window is too short for what others do
            note(f"another process {what}: waiting for it ({_held_by(lock)})")

    def gives_up() -> bool:
        nonlocal stopped_since_s
        holder = lock.holder()
        if holder is None or not holder.is_stopped:
            stopped_since_s = None
        elif stopped_since_s is None:
            stopped_since_s = time.monotonic()
        is_stuck = stopped_since_s is not None and time.monotonic() - stopped_since_s >= STOPPED_S
        return is_closing() or is_stuck

    if lock.acquire(wait_s, gives_up, tell):
        return
    ATTEMPTS.withdraw(has_waited=True)
    holder = lock.holder()
    kind = ClosedWhileWaitingError if is_closing() else BusyError
    raise kind(
        f"another process {what}",
        why=f"{lock.path} is held: {_held_by(lock)}",
        do=_way_out(lock, holder),
    )


def _held_by(lock: Lock) -> str:
    return str(lock.holder() or "the process has not said who it is")


def _way_out(lock: Lock, holder: Holder | None) -> str:
    if holder is not None and holder.is_stopped:
        pid = holder.process.pid
        return f"let it go on (`kill -CONT {pid}`) or end it (`kill -9 {pid}`)"
    wait = "wait until it ends, then give this command again"
    if holder is not None and holder.is_visible:
        return f"{wait}, or end it (`kill {holder.process.pid}`)"
    return f"{wait}; if it no longer runs, delete {lock.path}* and call this again"


class Hint:
    """A lock that saves work and guards nothing: without it, at worst work is done twice.

    Taking it never raises, and waits a second at most. Where it stays taken or the disk refuses,
    continuing without it, and the log says so once.

    Parameters
    ----------
    path : Path
    everywhere : bool
        Whether processes of several hosts ask for it.
    is_closing : callable
        Whether this session has to end: then nothing is waited for.
    """

    def __init__(
        self,
        path: Path,
        *,
        everywhere: bool = False,
        is_closing: Callable[[], bool] = _never,
    ) -> None:
        self._lock = Lock(path, everywhere=everywhere, silent_s=4 * HINT_S, momentary=True)
        self._is_closing = is_closing
        self._is_stuck = False  # it was waited for in vain, and was not free since

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it if it can be had."""
        began_s = time.monotonic()
        try:
            while not self._lock.try_acquire():
                waited_s = time.monotonic() - began_s
                if self._is_stuck or waited_s >= HINT_S or self._is_closing():
                    self._go_without(f"it is held: {_held_by(self._lock)}")
                    break
                time.sleep(POLL_S / 10)
            else:
                self._is_stuck = False
        except StorageError as error:
            self._go_without(error.why)
        try:
            yield
        finally:
            with suppress(OSError):
                self._lock.release()

    def _go_without(self, why: str) -> None:
        self._is_stuck = True
        path = self._lock.path
        say_once(str(path), f"continuing without {path}: {why}", log.warning)


def watch(
    path: Path, *, everywhere: bool = False, silent_s: float = SILENT_S
) -> Callable[[], Sight]:
    """Return what looks, from outside, whether the `Lock` at *path* is held."""
    beating = Watch(_beating(path, everywhere), silent_s, trusts_process=not everywhere)

    def look() -> Sight:
        if not everywhere and _kernel_holds(path):
            return Sight.HELD
        return beating.look()

    return look


def _kernel_holds(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return not _has_locked(handle, fcntl.LOCK_SH)
    except OSError:
        return False
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Tell whether any process holds the `Lock` at *path*; one out of sight is watched a while."""
    look = watch(path)
    while (sight := look()) is Sight.UNDECIDED:
        time.sleep(POLL_S)
    return sight is Sight.HELD

"""How do bytes reach the disk for good?

The only module that syncs and renames, and the border at which what a disk refuses (full,
read-only, forbidden, failing) becomes a `StorageError`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from ptyrun.errors import GoneError, StorageError
from ptyrun.host import partials
from ptyrun.texts import printable

PARTIAL = partials.PARTIAL
SYNC_THREADS = 8
_TRIES = 10

_sync_data = getattr(os, "fdatasync", os.fsync)

# What a refusal means, where the system's own words do not say it, and what helps.
_ADVICE = {
    errno.ENOSPC: ("the disk is full", "free space there"),
    errno.EDQUOT: ("the disk quota is used up", "free space or raise the quota"),
    errno.EROFS: ("the file system is read-only", "make it writable"),
    errno.EACCES: ("permission denied", "give this user access to the folder"),
    errno.EPERM: ("operation not permitted", "give this user access to the folder"),
    errno.EIO: ("the disk reports an input/output error", "check the disk"),
    errno.EFBIG: ("the file would be larger than is allowed", "raise `ulimit -f`"),
    errno.EMFILE: ("too many files are open", "raise `ulimit -n`"),
    errno.ENFILE: ("too many files are open on this machine", "close other programs"),
    errno.ESTALE: ("the network folder was lost", "mount it again"),
    errno.ENOTCONN: ("the network folder was lost", "mount it again"),
    errno.ENOTDIR: ("a file stands where a folder must be", "move it away"),
    errno.EEXIST: ("something else stands in its place", "move it away"),
    errno.EISDIR: ("a folder stands where a file must be", "move it away"),
    errno.ENOTEMPTY: ("a folder with files in it stands in its place", "move it away"),
    errno.ENOENT: (
        "it is gone: the folder was renamed, moved or deleted",
        "put the folder back in its place",
    ),
    errno.ENAMETOOLONG: ("the path is too long", "choose a folder with a shorter path"),
    errno.ELOOP: ("its path is a loop of links, or a link where none is allowed", "remove it"),
    errno.ENOLCK: ("the file system has no locks", "use a folder on a local disk"),
    errno.EOPNOTSUPP: ("the file system cannot do this", "use a folder on a local disk"),
    errno.ENOSYS: ("the file system cannot do this", "use a folder on a local disk"),
    errno.ETXTBSY: ("another program uses it", "end that program"),
    errno.EBUSY: ("another program uses it", "end that program, or unmount what is mounted there"),
    errno.ENOMEM: ("the system has no memory left", "free memory"),
    errno.EILSEQ: ("the file system takes no such name", "choose another name"),
}
# None: no answer of the system, but what a reader says of bytes that end too early.
_DAMAGE = frozenset({None, errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
_settled: set[Path] = set()  # folders whose names this process made survive a power loss

_ADVICE_ELSE = "check the disk and the folder"
_PROC = Path("/proc")
_ADVICE_PROC = (
    "/proc shows which processes are alive, and it is hidden or not mounted here",
    "mount it (`mount -t proc proc /proc`), or start the container with it",
)


@contextmanager
def storage_errors(path: Path, doing: str = "write") -> Iterator[None]:
    """Turn whatever the disk refuses about *path* into a `StorageError` that says so.

    Raises
    ------
    GoneError
        If the refusal is that there is nothing at the path.
    StorageError
        For any other one.
    """
    try:
        yield
    except OSError as error:
        raise refusal(path, error, doing) from error


def refusal(path: Path, error: OSError, doing: str = "write") -> StorageError:
    """Explain what the disk refused about *path*."""
    unknown = (error.strerror or str(error) or type(error).__name__, _ADVICE_ELSE)
    why, do = _ADVICE.get(error.errno or 0, unknown)
    if path.is_relative_to(_PROC) and not os.path.lexists(_PROC / "self"):
        why, do = _ADVICE_PROC
    kind = GoneError if error.errno == errno.ENOENT else StorageError
    return kind(f"cannot {doing} {printable(str(path))}", why=why, do=f"{do}, then run again")


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Let pass what says that *path* is bad, or not there; for the rest, raise `StorageError`.

    A disk that does not answer now, and may read it well the next time, is not a reason to call it
    damaged.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DAMAGE:
            raise
        raise refusal(path, error, "read") from error


def why_unreadable(error: OSError | ValueError) -> str:
    """Say in words why a file that somebody named cannot be read."""
    if not isinstance(error, OSError) or not error.errno:
        return str(error) or type(error).__name__
    if error.errno == errno.ENOENT:
        return "there is nothing of that name"
    return _ADVICE.get(error.errno, (error.strerror or str(error), ""))[0]


def explanation(error: OSError) -> StorageError:
    """Explain a refusal where nothing says better what was being done; its file may be unknown."""
    if isinstance(error.filename, str | bytes):
        return refusal(Path(os.fsdecode(error.filename)), error, "use")
    if error.errno == errno.ENOENT and not _is_anywhere():
        return GoneError(
            "the current folder is gone",
            why="it was deleted or moved while the shell was in it, and a path is relative to it",
            do="`cd` to a folder that is there, or give whole paths",
        )
    return refusal(Path("a file that was open"), error, "use")


def _is_anywhere() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def fsync_folder(folder: Path) -> None:
    """Make the names in *folder* survive a power loss."""
    with storage_errors(folder):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_folder(folder: Path) -> None:
    """Create *folder* and its parents, each entry on disk for good.

    One that is there may be what a killed process made and did not sync: it is synced, once.

    Raises
    ------
    StorageError
        If the disk refuses, or a file stands where a folder must be.
    """
    if folder.is_dir():
        if folder not in _settled:
            with suppress(StorageError):  # a folder above the run may be another user's
                fsync_folder(folder.parent)
            _settled.add(folder)
        return
    for left in reversed(range(_TRIES)):
        make_folder(folder.parent)
        with storage_errors(folder):
            try:
                folder.mkdir()
            except FileExistsError as error:  # another process made it, or it is not a folder
                if _is_something_else(folder):
                    raise NotADirectoryError(errno.ENOTDIR, "not a folder", folder) from error
            except FileNotFoundError:  # another process took the empty one around it away
                if left:
                    continue
                raise
        break
    fsync_folder(folder.parent)
    _settled.add(folder)


def make_hint_folder(folder: Path) -> None:
    """Create *folder*, but not for good: for what may be lost.

    Raises
    ------
    StorageError
        If the disk refuses, or a file stands where a folder must be.
    """
    with storage_errors(folder):
        try:
            folder.mkdir()
        except FileExistsError:
            if _is_something_else(folder):
                raise


def _is_something_else(folder: Path) -> bool:
    """Tell whether something stands there that is not a folder; one look, as it may go any time."""
    try:
        mode = folder.lstat().st_mode
    except FileNotFoundError:
        return False
    return not folder.is_dir() if stat.S_ISLNK(mode) else not stat.S_ISDIR(mode)


def write_partial(path: Path, parts: Iterable[bytes | memoryview]) -> Path:
    """Write *parts* in a row beside *path*, on disk for good, under a name that nobody reads."""
    partial = partials.name(path)
    with storage_errors(path):
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            for part in parts:
                _write_all(handle, part)
            os.fsync(handle)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise
        finally:
            os.close(handle)
    return partial


def publish(partial: Path, final: Path) -> None:
    """Give *partial* its name; the caller owes `fsync_folder`."""
    with storage_errors(final):
        partial.replace(final)


def write_atomic(path: Path, data: bytes) -> None:
    """Put *data* at *path*, all or nothing, on disk for good when this returns.

    Raises
    ------
    StorageError
        If the disk is full, read-only, forbidden or failing. What was at *path* is untouched.
    """
    publish(write_partial(path, [data]), path)
    fsync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """As :func:`write_atomic`, in UTF-8; what is not UTF-8 in the name of a file is escaped."""
    write_atomic(path, text.encode("utf-8", "backslashreplace"))


def sync_file(path: Path) -> None:
    """Make what another process wrote into *path* survive a power loss."""
    with storage_errors(path):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_all(paths: Iterable[Path]) -> None:
    """Sync files and folders at the same time: many together take the disk hardly longer than one.

    As :func:`sync_file` and :func:`fsync_folder`.
    """
    from concurrent.futures import ThreadPoolExecutor  # at the start of each process, rarely needed

    with ThreadPoolExecutor(SYNC_THREADS) as pool:
        list(pool.map(sync_file, paths))


def write_hint(path: Path, data: bytes) -> None:
    """Put *data* at *path*, all or nothing, but not for good: for what may be lost."""
    partial = partials.name(path)
    with storage_errors(path):
        try:
            partial.write_bytes(data)
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise


def _write_all(handle: int, data: bytes | memoryview) -> None:
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(handle, view) :]


class AppendFile:
    """A file that one process alone appends to.

    Parameters
    ----------
    path : Path
        Must not exist yet: nobody ever appends to what another process began.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        with storage_errors(path):
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        fsync_folder(path.parent)

    def append(self, data: bytes) -> None:
        """Add *data* at the end; the caller owes `sync`.

        Raises
        ------
        StorageError
            If the disk refuses. Nothing of *data* is left behind, so that the file stays readable.
        """
        with storage_errors(self.path):
            try:
                _write_all(self._handle, data)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._handle, self.size)
                raise
            self.size += len(data)

    def sync(self) -> None:
        """Make all that was appended survive a power loss.

        Raises
        ------
        GoneError
            If the file was renamed, moved or deleted: then nothing reads what it says.
        StorageError
            If the disk refuses.
        """
        with storage_errors(self.path):
            _sync_data(self._handle)
            if not os.path.samestat(os.fstat(self._handle), self.path.stat()):
                raise FileNotFoundError(errno.ENOENT, "another file stands in its place", self.path)

    def touched_s(self) -> float:
        """Return when it was last written, by the clock of the file system it lies on."""
        with storage_errors(self.path):
            return os.fstat(self._handle).st_mtime

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

"""How is a file read that somebody else may have put there?

A run's folder may come from anybody: a FIFO in it would be waited for, a device never ends, and a
link leads to files that are none of the run's.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath

from ptyrun.errors import ForeignFileError

HOLLOW_BYTES = 1 << 28  # a shorter file is read in a moment
MAX_HOLLOWNESS = 200
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_LINK = (errno.ELOOP, errno.EMLINK)  # EMLINK: what BSD says of a link that is not to be followed
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
}


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file for reading, and nothing else.

    Raises
    ------
    ForeignFileError
        If it is a link, a FIFO, a device, a socket or a folder; nothing was read or waited for.
    OSError
        As `open` does.
    """
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in _LINK:
            raise _foreign(path, "a symbolic link") from error
        if error.errno == errno.ENXIO:  # what a socket answers
            raise _foreign(path, "a socket or a device") from error
        raise
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise _foreign(path, kind_of(mode))
    except BaseException:
        os.close(handle)
        raise
    with os.fdopen(handle, "rb") as stream:
        yield stream


def filled_bytes(handle: int, buffer: memoryview, offset: int) -> int:
    """Read a file from *offset* on until the buffer is full, or the file ends: give how far.

    Raises
    ------
    OSError
        As the system says.
    """
    filled, wanted = 0, len(buffer)
    while filled < wanted:
        left = buffer[filled:] if filled else buffer
        count = os.preadv(handle, [left], offset + filled)
        if count == 0:
            break
        filled += count
    return filled


def refuse_hollow(stream: BufferedReader, path: Path) -> None:
    """See that a large file is not made of holes, which take no room, and forever to be read.

    Raises
    ------
    ForeignFileError
        If it is; where the file system does not tell, it is not.
    """
    handle = stream.fileno()
    size = os.fstat(handle).st_size
    at = filled = 0
    try:
        while size > HOLLOW_BYTES and filled <= size // MAX_HOLLOWNESS:
            start = os.lseek(handle, at, os.SEEK_DATA)
            at = os.lseek(handle, start, os.SEEK_HOLE)
            filled += at - start
    except OSError as error:
        if error.errno == errno.ENXIO:  # there is no more
            raise ForeignFileError(
                f"{path} consists of holes",
                why=f"of its {size} bytes, {filled} were ever written",
                do="restore the file, or do not use this folder",
            ) from error
    stream.seek(0)


@contextmanager
def open_to_append(path: Path) -> Iterator[int]:
    """Open a regular file, made if absent, to append to it: give its descriptor.

    Raises
    ------
    ForeignFileError
        If a link, a FIFO or the like stands there.
    OSError
        As `os.open` does.
    """
    refuse_foreign(path)
    handle = os.open(path, _APPENDING, 0o666)
    try:
        yield handle
    finally:
        os.close(handle)


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Read a regular file of at most *max_bytes*; raises as `open_regular`, and if it is larger."""
    with open_regular(path) as stream:
        data = read_bounded(stream, max_bytes)
    if len(data) > max_bytes:
        raise ForeignFileError(
            f"{path} is too large to be what its name says",
            why=f"it has more than {max_bytes} bytes",
            do="restore the file, or do not use this folder",
        )
    return data


def read_bounded(stream: BufferedReader, max_bytes: int) -> bytes:
    """Read a regular file; a byte more than *max_bytes* if it is larger.

    The memory that is asked for is that of the file: where memory is limited, its bound is not to
    be had.
    """
    size = min(os.fstat(stream.fileno()).st_size, max_bytes)
    data = stream.read(size + 1)
    if size < len(data) <= max_bytes:  # it grows
        data += stream.read(max_bytes + 1 - len(data))
    return data


def read_text(path: Path, max_bytes: int) -> str:
    """Read a regular text file; what is not UTF-8 is replaced. Raises as `read_regular`."""
    return read_regular(path, max_bytes).decode(errors="replace")


def kind_of(mode: int) -> str:
    """Name what a file of that mode is."""
    return _KINDS.get(stat.S_IFMT(mode), "something unknown")


def below(folder: Path, name: str) -> Path:
    """Give the path of what a document calls *name*, below *folder*.

    Raises
    ------
    ForeignFileError
        If the name leads out of the folder, by itself or by a link on the way.
    """
    relative = PurePosixPath(name)
    path = folder / relative
    if relative.is_absolute() or not relative.parts or ".." in relative.parts or "\0" in name:
        raise ForeignFileError(
            f"{name!r} leads out of {folder}",
            why="a run's documents name files below its own folder only",
            do="restore the document that names it, or do not use this folder",
        )
    step = folder
    for part in relative.parts[:-1]:
        step = step / part
        if step.is_symlink():
            raise _foreign(step, "a symbolic link")
    return path


def _foreign(path: Path, kind: str) -> ForeignFileError:
    return ForeignFileError(
        f"{path} is {kind}",
        why="a run consists of regular files in folders of its own: anything else would lead "
        "elsewhere, or be waited for",
        do="put the file itself there, or do not use this folder",
    )


def refuse_foreign(path: Path) -> None:
    """See that *path*, if it exists, is a regular file or a folder; raises `ForeignFileError`."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise _foreign(path, kind_of(mode))

"""How are words said, so that none of them can end the work or change its exit code?

A closed stream leads nowhere, a full or broken one loses what it cannot take. What the stream's
encoding lacks is escaped, and so is a file name that is not UTF-8.
"""

from __future__ import annotations

import codecs
import io
import os
import sys

TYPE_CHECKING = False  # typing's own costs an import, and this is where a process begins
if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer

SPELLING = "ptyrun.spelling"
_PATIENCE_S = 1.0  # with a terminal that another program made non-blocking


def speak_utf8() -> None:
    """Begin again in UTF-8 where Python took the file system's names for ASCII.

    Only then do libraries in C find files whose names have other letters. The process stays the
    same, and with it when its window began.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    if codecs.lookup(sys.getfilesystemencoding()).name == "ascii":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def make_unfailing() -> None:
    """Put streams in the place of stdout and stderr that take every word."""
    for number in range(3):
        _open_if_closed(number)
    sys.stdout = _unfailing(sys.stdout, 1, by_line=False)
    sys.stderr = _unfailing(sys.stderr, 2, by_line=True)


def is_heard() -> bool:
    """Whether what was written to stdout reached anybody so far."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    sys.stdout.flush()
    return not (isinstance(raw, _Unfailing) and raw.has_lost)


class _Unfailing(io.FileIO):
    """A file that drops what cannot be written."""

    has_lost = False

    def write(self, words: ReadableBuffer, /) -> int:
        try:
            written = super().write(words)
            if written is None and _takes_words(self):
                written = super().write(words)
            if written is not None:
                return written
        except OSError:
            pass
        self.has_lost = True
        return memoryview(words).nbytes


def _takes_words(file: io.FileIO) -> bool:
    import select

    return bool(select.select([], [file], [], _PATIENCE_S)[1])


def _open_if_closed(number: int) -> None:
    """Else the next file that is opened would get this number, and with it words of libraries."""
    try:
        os.fstat(number)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
        os.set_inheritable(number, True)


def _unfailing(before: TextIO | None, number: int, *, by_line: bool) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    if codecs.lookup(encoding).name == "ascii":
        encoding = "utf-8"
    raw = _Unfailing(number, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors=SPELLING,
        line_buffering=by_line or raw.isatty(),
    )


def _spelt(error: UnicodeError) -> tuple[str | bytes, int]:
    """Spell what an encoding lacks: bytes of file names as UTF-8 if they are that, else escaped."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    try:
        name = missing.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        return missing.encode("ascii", "backslashreplace"), error.end
    if codecs.lookup(error.encoding).name == "utf-8":
        return name.decode("utf-8", "backslashreplace").encode(), error.end
    return name.decode("ascii", "backslashreplace"), error.end


codecs.register_error(SPELLING, _spelt)

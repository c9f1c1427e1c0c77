"""What is said of an error that no part of ptyrun explains? Never a traceback, unless asked for."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

from ptyrun.cli.debug import DEBUG_WORD, is_debugged
from ptyrun.errors import PtyrunError
from ptyrun.texts import printable, shown

_MOST_CHARS = 200_000  # a recursion without end says the same line a thousand times


def words_of(error: BaseException) -> str:
    """Say what an error is that nothing explains; the traceback is shown, or left in a file."""
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    told = is_debugged()
    file = None if told else _written(error)
    look = (
        (f"the traceback is in {file}" if file else "the traceback is below")
        if told or file
        else f"run it again with {DEBUG_WORD}, which shows the traceback"
    )
    if isinstance(error, MemoryError):
        words = PtyrunError(
            "memory ran out",
            why=f"the system refused memory to this process{where}",
            do=f"free memory, or raise the limit (`ulimit -v`), then run again; {look}",
        )
    else:
        words = PtyrunError(
            f"{kind}: {str(error)[:300]}",
            why=f"a defect of ptyrun, or a file made to mislead it{where}",
            do=look,
        ).with_hint("`ptyrun verify` looks at every file of a run")
    return f"{words}\n{_traceback(error)}" if told else str(words)


def _traceback(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error))
    return shown(printable(text[:_MOST_CHARS]))


def _written(error: BaseException) -> str | None:
    """Leave the traceback in a file that nobody else may read."""
    with suppress(OSError, MemoryError):
        handle, name = tempfile.mkstemp(prefix="ptyrun-traceback-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{sys.argv[1:]!r}\n\n{_traceback(error)}")
        return name
    return None

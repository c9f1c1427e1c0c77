"""How many windows in a row made no progress, and which would do?

Only windows at least as long as the one at hand count: a longer one begins the count anew. What a
signal ended, what was killed, and what waited for others was no short window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ptyrun.durations import format_duration
from ptyrun.engine.endings import Ending, ending_of
from ptyrun.engine.ledger import Ledger, SessionFile
from ptyrun.errors import ExitCode, WindowTooShortError
from ptyrun.host.advice import advise
from ptyrun.host.attempts import ATTEMPTS, IN_A_ROW, MORE
from ptyrun.host.deadline import DEADLINE
from ptyrun.host.signals import is_asked_for
from ptyrun.texts import counted

WAITED = "the window is used up; other processes work on what is left, or it has to pause"
LONGER = 1.2  # than one that was too short, at the least


@dataclass(frozen=True)
class Row:
    """Windows in a row that came to nothing.

    ``why`` is what the last one said; ``enough_s`` would have done for all of them, as far as is
    known, and is None where there were none.
    """

    windows: int = 0
    why: str = ""
    enough_s: float | None = None


def fruitless(ledger: Ledger, budget_s: float | None = None) -> Row:
    """Look at the latest windows in a row of at least *budget_s* that came to nothing.

    The window at hand does not count, however many of its workers closed.
    """
    own = ledger.sessions.get(ledger.own or "")
    windows: set[str] = set()
    enough_s: float | None = None
    why = ""
    for file in _latest_first(ledger):
        if file.commits or (file.closed and file.closed.progress):
            break
        length_s = file.opened.budget_s if file.opened else None
        if length_s is None or (budget_s or 0.0) > length_s or (own and own.window == file.window):
            continue
        if (short := _short(ledger, file, length_s)) is not None:
            windows.add(file.window)
            enough_s = max(enough_s or 0.0, short[0], LONGER * length_s)
            why = why or short[1]
    return Row(len(windows), why, enough_s)


def _latest_first(ledger: Ledger) -> list[SessionFile]:
    return sorted(
        (f for f in ledger.sessions.values() if f.opened and f.name not in ledger.foreign),
        key=lambda file: file.opened.sequence if file.opened else 0,
        reverse=True,
    )


def _short(ledger: Ledger, file: SessionFile, length_s: float) -> tuple[float, str] | None:
    """How long that window should have been and why, if its length was to blame."""
    closed, opened = file.closed, file.opened
    if closed is not None:
        if not closed.enough_s or is_asked_for(closed.reason):
            return None
        if closed.exit_code == ExitCode.FAILED:  # it was one too many, and says just that
            return closed.enough_s, ""
        return (closed.enough_s, closed.reason) if closed.exit_code == ExitCode.INCOMPLETE else None
    if opened is None or file.is_at_work:
        return None
    if ending_of(ledger.paths, file.name, opened) is not Ending.CUT:
        return None
    return MORE * length_s, f"the window of {format_duration(length_s)} ended before a first chunk"


def brace(ledger: Ledger, budget_s: float | None) -> str | None:
    """See that one window too many ends with an error, even one that cannot say so any more.

    Returns
    -------
    str or None
        What to tell before, if this window is that one.
    """
    row = fruitless(ledger, budget_s)
    if budget_s is None or row.enough_s is None or row.windows + 1 < IN_A_ROW:
        return None
    DEADLINE.end_with(ExitCode.FAILED)
    advise(row.enough_s)
    if ATTEMPTS.before + 1 >= IN_A_ROW:  # it was said when the command began
        return None
    return (
        f"the last {row.windows} windows closed without a single new chunk ({row.why}); if this "
        f"one of {format_duration(budget_s)} does so too, it ends with exit code "
        f"{int(ExitCode.FAILED)}: {advice(row.enough_s)}"
    )


def advice(enough_s: float) -> str:
    """Say what to do about a window that is too short."""
    seconds = math.ceil(enough_s)
    return f"use --window {seconds}s or more, or plan into another folder with smaller chunks"


def raise_if_too_short(before: Row, why: str, enough_s: float) -> None:
    """Count a window that closes without progress for want of time; an error if it is one too many.

    Parameters
    ----------
    before : Row
        The windows that the ledger knows; those of the same command that this machine saw, which
        perhaps never came as far as the ledger, count as well.
    why : str
    enough_s : float
        How long this one should have been.

    Raises
    ------
    WindowTooShortError
    """
    windows = 1 + max(before.windows, ATTEMPTS.before)
    if windows < IN_A_ROW:
        ATTEMPTS.fell_short(max(enough_s, before.enough_s or 0.0))
        return
    needed_s = max(enough_s, before.enough_s or 0.0)
    raise WindowTooShortError(
        f"{counted(windows, 'window')} in a row closed without a single new chunk",
        why=why,
        do=advice(needed_s),
        enough_s=needed_s,
    )

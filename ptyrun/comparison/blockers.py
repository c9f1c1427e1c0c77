"""Does a blocker still stand, or has the run gone on since?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ptyrun.engine.ledger import Ledger
from ptyrun.errors import ExitCode
from ptyrun.host import listing
from ptyrun.paths import RunPaths

STAMP = "%Y%m%dT%H%M%SZ"


def standing(paths: RunPaths, ledger: Ledger) -> Path | None:
    """Give the newest blocker that was left since the latest session began, if there is one.

    Blockers are kept for people. One that a later session went past is history.
    """
    opened = [
        each.opened.opened_at
        for each in ledger.sessions.values()
        if each.opened and not (each.closed and each.closed.exit_code == ExitCode.USAGE)
    ]
    began = max(map(datetime.fromisoformat, opened), default=datetime.min.replace(tzinfo=UTC))
    later = [
        path for path in listing.matching(paths.blocked, "*.md") if _left_at(path, began) >= began
    ]
    return max(later, default=None)


def _left_at(blocker: Path, unknown: datetime) -> datetime:
    stamp = blocker.name.partition("-")[0]
    try:
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:  # renamed by a person: better named once too often than passed over
        return unknown

"""Was a window too short before it began anything, and which would do?

Such a window leaves no word in the ledger; this is one small file, for who asks how far a run is.
A hint: it may be deleted, one that cannot be read or written, or that somebody else wrote, is none,
and so is one after which anything was achieved or another session began.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import ClassVar, Self

from ptyrun.engine import ownership
from ptyrun.engine.costs import progress_of
from ptyrun.engine.ledger import Ledger
from ptyrun.errors import PtyrunError, WindowTooShortError
from ptyrun.host import durable
from ptyrun.host.documents import MAX_BYTES
from ptyrun.host.regular import read_text
from ptyrun.host.typed_json import build
from ptyrun.paths import RunPaths


@dataclass(frozen=True)
class Refusal:
    """Why a window was too short, in how many seconds something can be achieved, and after what."""

    SCHEMA: ClassVar[int] = 1

    why: str
    enough_s: float
    behind: str

    @classmethod
    def standing(cls, paths: RunPaths, ledger: Ledger | None) -> Self | None:
        """The latest one, if nothing was achieved since; without a plan there is no *ledger*."""
        with suppress(OSError, ValueError, TypeError, PtyrunError):
            document = ownership.read_signed(read_text(paths.refused, MAX_BYTES))
            if document.pop("schema") == cls.SCHEMA:
                found = build(cls, document)
                if found.behind == _behind(paths, ledger) and math.isfinite(found.enough_s):
                    return found
        return None


@contextmanager
def noted(paths: RunPaths, ledger: Ledger | None) -> Iterator[None]:
    """Leave word of a window that is found too short in here."""
    try:
        yield
    except WindowTooShortError as error:
        what, why, *_ = error.args
        with suppress(OSError, ValueError, PtyrunError):
            found = Refusal(f"{what}: {why}", error.enough_s, _behind(paths, ledger))
            document = {"schema": Refusal.SCHEMA, **asdict(found)}
            if ledger is not None:  # of a plan that does not stand, no more is left than there is
                paths.cache.mkdir(exist_ok=True)
            durable.write_hint(paths.refused, ownership.signed(document).encode())
        raise


def _behind(paths: RunPaths, ledger: Ledger | None) -> str:
    """Say what was achieved so far, and how many sessions were begun."""
    if ledger is None:
        return f"planning, {progress_of(paths.planning_costs)} steps"
    arms = ledger.progress.arms.values()
    chunks = sum(arm.chunks_committed for arm in arms)
    return (
        f"{ledger.manifest.digest}, {len(ledger.sessions)} sessions, {chunks} chunks, "
        f"{progress_of(paths.costs)} steps"
    )

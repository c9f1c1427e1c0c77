"""What do the ledger's lines say of each window?"""

from __future__ import annotations

import datetime
import sys
from dataclasses import dataclass, field

from ptyrun.engine.ledger import towards_chunks
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import Closed, Committed, Failed, Opened, Record, Started
from ptyrun.paths import RunPaths
from ptyrun.report.timeline import Event, Session

UNFINISHED = "no outcome: its process died or is still at work"
NO_LAST_WORD = "killed, or still at work"
KILLED = "killed"


@dataclass
class _SessionLines:
    """One session's lines as they are read."""

    name: str
    manifest: Manifest
    opened: Opened | None = None
    closed: Closed | None = None
    tried: bool = False
    stop: str = NO_LAST_WORD
    last_s: float = 0.0
    starts: dict[tuple[str, int], float] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def read(self, record: Record) -> None:
        match record:
            case Opened():
                self.opened = record
                self.last_s = record.startup_s
            case Started():
                self.starts[record.arm, record.chunk] = record.at_s
            case Committed():
                self._end(record.arm, record.chunk, record.at_s, record.seconds)
            case Failed():
                self._end(record.arm, record.chunk, record.at_s, None, record.error)
            case Closed():
                self.closed = record
                self.stop = record.reason
        self.last_s = max(self.last_s, getattr(record, "at_s", 0.0))

    def _end(
        self, arm: str, chunk: int, at_s: float, took_s: float | None, error: str | None = None
    ) -> None:
        arm = sys.intern(arm)  # of a million lines each has its own
        start_s = self.starts.pop((arm, chunk), at_s - (took_s or 0.0))
        # Commits are written in groups: a chunk was done before its line was.
        end_s = at_s if took_s is None else min(start_s + took_s, at_s)
        self.events.append(Event(arm, chunk, self._n_items(arm, chunk), start_s, end_s, error))

    def _n_items(self, arm: str, chunk: int) -> int:
        plan = next((plan for plan in self.manifest.arms if plan.name == arm), None)
        known = plan is not None and chunk < plan.n_chunks
        return len(plan.chunk_range(chunk)) if plan is not None and known else 0

    def _is_over(self) -> bool:
        """Tell whether its process is certainly gone, which only its own host knows."""
        return self.opened is not None and self.opened.process.standing().is_over

    @property
    def window(self) -> str:
        """Name of the window it belongs to: its own, or that of its crew."""
        return (self.opened and self.opened.crew) or self.name

    def session(self, window: int) -> Session:
        unfinished = [
            Event(arm, chunk, 0, start_s, self.last_s, UNFINISHED)
            for (arm, chunk), start_s in self.starts.items()
            if self.stop == NO_LAST_WORD
        ]
        stop = KILLED if self.stop == NO_LAST_WORD and self._is_over() else self.stop
        opened_at = self.opened.opened_at if self.opened else "1970-01-01T00:00:00+00:00"
        startup_s = self.opened.startup_s if self.opened else 0.0
        opened_s = datetime.datetime.fromisoformat(opened_at).timestamp()
        return Session(
            self.name,
            opened_s - startup_s,
            self.last_s,
            stop,
            (*self.events, *unfinished),
            window,
        )


@dataclass(frozen=True)
class History:
    """Every session that worked towards chunks, in order; versions and hosts of all."""

    sessions: tuple[Session, ...]
    versions: tuple[str, ...]
    hosts: tuple[str, ...]


def read_history(paths: RunPaths, manifest: Manifest) -> History:
    """Read every session of a run; chunks of arms that are gone are left out."""
    lines: dict[str, _SessionLines] = {}
    for name, record in read_records(paths):
        entry = lines.setdefault(name, _SessionLines(name, manifest))
        entry.tried |= isinstance(record, Started | Committed)
        if getattr(record, "arm", None) in {None, *(arm.name for arm in manifest.arms)}:
            entry.read(record)
    opened = sorted(
        (entry for entry in lines.values() if entry.opened is not None),
        key=lambda entry: entry.opened.sequence if entry.opened else 0,
    )
    heads = [entry.opened for entry in opened if entry.opened is not None]
    worked = [entry for entry in opened if towards_chunks(entry.closed, tried=entry.tried)]
    numbers: dict[str, int] = {}
    for entry in worked:
        numbers.setdefault(entry.window, len(numbers) + 1)
    return History(
        sessions=tuple(entry.session(numbers[entry.window]) for entry in worked),
        versions=tuple(dict.fromkeys(head.version for head in heads)),
        hosts=tuple(dict.fromkeys(head.host for head in heads)),
    )

"""What does one line of a ledger say?

Each line is one JSON object whose last field, ``crc``, is the CRC-32C of the line's bytes before
it, so that a line proves itself and ``jq`` still reads it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

import google_crc32c

from ptyrun.config import Fact
from ptyrun.errors import NewerError
from ptyrun.host.processes import Process
from ptyrun.host.typed_json import parse

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Opened:
    """First line of a session: for which manifest, by which process, within which budget.

    ``process_started_s`` counts from the boot called ``boot_id``; with ``pid`` and ``host`` it
    names a process for ever. ``startup_s`` is what passed since then. ``sequence`` orders
    sessions without a clock. Sessions that share a ``crew`` worked side by side in one window. At
    ``deadline_s`` after boot the kernel ends the process, if nothing else did.
    """

    manifest: str
    sequence: int
    host: str
    pid: int
    process_started_s: float
    boot_id: str
    budget_s: float | None
    startup_s: float
    opened_at: str
    version: str
    crew: str = ""
    deadline_s: float | None = None
    schema: int = SCHEMA

    @property
    def process(self) -> Process:
        """Who opened it."""
        return Process(self.host, self.boot_id, self.pid, self.process_started_s)


@dataclass(frozen=True, slots=True)
class ArmOpened:
    """An arm's model was loaded; it took *seconds*."""

    arm: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Halved:
    """A batch of *before_items* did not do; from now on *after_items* are tried."""

    arm: str
    fingerprint: str
    before_items: int
    after_items: int
    why: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Started:
    """A chunk was begun; if neither an outcome nor another start follows, its session died in it.

    ``stretch`` counts what the session computed one after the other, from 1; ``together`` is how
    many chunks this one was computed with, itself included.
    """

    arm: str
    chunk: int
    generation: int
    at_s: float
    stretch: int = 0
    together: int = 1


@dataclass(frozen=True, slots=True)
class Committed:
    """A chunk is on disk for good, whole.

    ``length`` and ``crc32c`` are those of the stored bytes, the latter without the trailing CRC.
    ``seconds`` is what the chunk cost the session, ``write_s`` how long its writing took; ``warm``
    is false for a session's first chunk of an arm. ``at_s`` counts from process start. A chunk
    counts while its ``generation`` is above every one that was forgotten.
    """

    arm: str
    chunk: int
    key: str
    length: int
    crc32c: str
    fingerprint: str
    attempt: int
    seconds: float
    write_s: float
    warm: bool
    at_s: float
    generation: int = 0
    stats: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reused:
    """As many of the chunks committed with it were not computed but copied from another run.

    ``manifest`` is the digest of that run's, ``source`` the folder where it lay.
    """

    arm: str
    fingerprint: str
    chunks: int
    manifest: str
    source: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """Commits of an arm up to *generation*, *chunks* of them, are given up: their files may go."""

    arm: str
    fingerprint: str
    generation: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A chunk's attempt ended in an error.

    ``by_chance``: the process that computed it was killed, by the chunk or by somebody, in what the
    session computed as its ``stretch``.
    """

    arm: str
    chunk: int
    attempt: int
    error: str
    traceback: str
    at_s: float
    generation: int = 0
    by_chance: bool = False
    stretch: int = 0


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Commits and failures of a chunk up to *generation* no longer count."""

    arm: str
    chunk: int
    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Disregarded:
    """A damaged line of a session's file is known and no longer counts as damage."""

    session: str
    offset: int
    length: int
    crc32c: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A session ended in good order; *progress* chunks were committed to the run meanwhile.

    Where nothing was, and its window was to blame, one of *enough_s* would have done.
    """

    exit_code: int
    reason: str
    progress: int
    at_s: float
    enough_s: float | None = None


Record = (
    Opened
    | ArmOpened
    | Halved
    | Started
    | Committed
    | Reused
    | Pruned
    | Failed
    | Forgotten
    | Disregarded
    | Closed
)

_EVENTS: Final[dict[str, type[Any]]] = {
    "session_open": Opened,
    "arm_open": ArmOpened,
    "halve": Halved,
    "start": Started,
    "commit": Committed,
    "reuse": Reused,
    "prune": Pruned,
    "fail": Failed,
    "forget": Forgotten,
    "disregard": Disregarded,
    "close": Closed,
}
_NAMES = {kind: name for name, kind in _EVENTS.items()}
_FIELDS = {kind: tuple(each.name for each in fields(kind)) for kind in _NAMES}

_SCALARS = (str, int, float, bool, type(None))
_CRC = re.compile(r"[0-9a-f]{8}")
_MOST = 2**53  # what a float counts exactly; more of nothing can be


def _kinds(hint: Any) -> frozenset[type]:
    """Types that JSON gives a field of that type."""
    if get_origin(hint) is UnionType:
        return frozenset().union(*map(_kinds, get_args(hint)))
    if get_origin(hint) is Mapping:
        return frozenset({dict})
    return frozenset({int, float} if hint is float else {hint})


_KINDS = {
    kind: tuple((name, _kinds(hints[name])) for name in _FIELDS[kind])
    for kind in _NAMES
    for hints in [get_type_hints(kind)]
}

_CRC_FIELD = b',"crc":"'
_TAIL = len(_CRC_FIELD) + 8 + len(b'"}')


class BadLineError(ValueError):
    """A line that was changed after it was written."""


class NewerLineError(BadLineError):
    """A whole line of a newer ptyrun; some name its *version*."""

    def __init__(self, why: str, version: str = "") -> None:
        super().__init__(why)
        self.version = version

    def of(self, session: str, version: str = "") -> NewerError:
        """Name the session that wrote it, and with which version if a line says so."""
        version = self.version or version
        return NewerError(
            f"session {session} was written by a newer ptyrun" + (version and f" ({version})"),
            why=f"{self}; this ptyrun reads ledgers up to schema {SCHEMA}",
            do=NewerError.DO,
        )


def encode(record: Record) -> bytes:
    """One line, newline included. Figures that JSON cannot say (NaN, infinity) become null."""
    kind = type(record)
    document = {"event": _NAMES[kind]}
    document.update((name, _plain(getattr(record, name))) for name in _FIELDS[kind])
    body = json.dumps(document, separators=(",", ":"), allow_nan=False)[:-1].encode()
    return b'%b%b%08x"}\n' % (body, _CRC_FIELD, google_crc32c.value(body))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def decode(line: bytes) -> Record:
    """Read what `encode` wrote, given without its newline.

    Raises
    ------
    BadLineError
        If a single bit of it is different, or it is nothing that `encode` writes.
    NewerLineError
        If it is whole, and of an event, with a field or in a schema that this ptyrun does not know.
    """
    body, tail = line[:-_TAIL], line[-_TAIL:]
    if tail != b'%b%08x"}' % (_CRC_FIELD, google_crc32c.value(body)):
        raise BadLineError("its CRC does not match")
    try:
        document = parse(line)
        del document["crc"]
        kind = _EVENTS.get(event := document.pop("event"))
        if kind is None or kind is Opened:
            _require_known(event, document)
        record: Record = kind(**document)  # type: ignore[misc]
        _check(record)
    except NewerLineError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if unknown := _unknown_field(line):
            raise NewerLineError(f"a line has the unknown field {unknown!r:.80}") from error
        raise BadLineError(f"it is not a ledger line: {type(error).__name__}: {error}") from error
    return record


def _require_known(event: Any, document: Mapping[str, Any]) -> None:
    if event not in _EVENTS and isinstance(event, str):
        raise NewerLineError(f"a line tells of the unknown event {event!r:.80}")
    schema = document.get("schema", SCHEMA)
    if type(schema) is int and schema > SCHEMA:
        version = str(document.get("version", ""))[:80]
        raise NewerLineError(f"it has schema {schema}", version)


def _unknown_field(line: bytes) -> str:
    """Name a field of a whole line that no line of its event has here; empty if there is none."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        document = parse(line)
        known = {"event", "crc", *_FIELDS[_EVENTS[document["event"]]]}
        return min(document.keys() - known, default="")
    return ""


def _check(record: Record) -> None:
    """See that every field has its type: a CRC does not say who wrote a line."""
    for name, kinds in _KINDS[type(record)]:
        value = getattr(record, name)
        kind = type(value)
        if kind not in kinds:
            raise ValueError(f"{name} is a {kind.__name__}")
        if (kind is int and not 0 <= value < _MOST) or (kind is float and not abs(value) < _MOST):
            raise ValueError(f"{name} is {value}")
    if isinstance(record, Committed):
        figures = all(type(value) in _SCALARS for value in record.stats.values())
        if not figures or not _CRC.fullmatch(record.crc32c):
            raise ValueError("its checksum or its numbers are not valid")
    elif isinstance(record, Opened) and datetime.fromisoformat(record.opened_at).tzinfo is None:
        raise ValueError("opened_at has no time zone")

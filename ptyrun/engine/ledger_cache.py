"""How does a long ledger load in a moment?

``ledger.cache`` is the ledger added up: a few numbers per chunk, and per session how many bytes of
its file they cover, with the CRC of those bytes. One file, written only where it saves time, and
believed only if it is whole and every covered byte still is what it was. It may be deleted at any
time; trouble with it means that there is none.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from itertools import chain
from pathlib import Path, PurePath
from typing import Any

import google_crc32c

from ptyrun.engine.ledger import SUFFIX, BadLine, Ledger, SessionFile
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.progress import RECENT, ArmProgress, Cost
from ptyrun.engine.records import Closed, Failed, Halved, Opened, Started, decode, encode
from ptyrun.errors import ForeignFileError, StorageError
from ptyrun.host import durable
from ptyrun.host.regular import open_regular, read_regular
from ptyrun.host.typed_json import build, parse_object
from ptyrun.paths import RunPaths

CACHE_WORTH_BYTES = 8 * 2**20  # what is read and added up within a moment
SCHEMA = 2
_MAGIC = b"ptyrun ledger cache\n"
_CRC = len(b"01234567\n")
_READ_BYTES = 2**22
_MOST_BYTES = 2**29  # of a million chunks it has some ten MB
# What a file of any content can make its reader say.
_NO_CACHE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
    ForeignFileError,
)


_MOST = 2**53  # what a ledger's line may say at most
_BAD = tuple(each.name for each in fields(BadLine))
_Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Session:
    """What is kept of a session's file; lines as they stand there."""

    name: str
    offset: int
    crc: int
    commits: int
    stretches: int
    headless: bool
    lines: tuple[str, ...]


@dataclass(frozen=True)
class _Arm:
    """What is kept of an arm, besides the numbers of each chunk."""

    fingerprint: str
    n_chunks: int
    commits: int
    reused: int
    pruned_generation: int
    generations: _Pairs
    forgotten: _Pairs
    rivals: tuple[tuple[int, _Pairs], ...]
    failures: tuple[str, ...]
    open_starts: tuple[tuple[str, str], ...]
    costs: tuple[tuple[float, float, bool], ...]
    load_s: tuple[float, ...]
    halvings: tuple[str, ...]

    def check(self) -> None:
        """Raise ValueError where a number is one that no ledger says."""
        counts = [self.commits, self.reused, self.pruned_generation + 1]
        pairs = [*self.generations, *self.forgotten, *chain(*(each for _, each in self.rivals))]
        chunks = [chunk for chunk, _ in (*self.generations, *self.forgotten, *self.rivals)]
        seconds = [*chain(*(cost[:2] for cost in self.costs)), *self.load_s]
        if not all(0 <= each < _MOST for each in chain(counts, *pairs)):
            raise ValueError("a count is out of bounds")
        if not all(each < self.n_chunks for each in chunks):
            raise ValueError("there is no such chunk")
        if not all(abs(each) < _MOST for each in seconds):
            raise ValueError("a time is out of bounds")


def open_ledger(paths: RunPaths, manifest: Manifest) -> Ledger:
    """Read what happened so far and insist that it can be trusted.

    Raises
    ------
    IdentityError
        If a session worked on another manifest.
    DamageError
        If a line other than a torn last one does not prove itself.
    SchemaError
        If a newer ptyrun wrote a session.
    """
    ledger = Ledger(paths, manifest)
    if ledger.size() >= CACHE_WORTH_BYTES:
        restore(ledger)
    ledger.refresh()
    ledger.raise_if_failed()
    return ledger


def save(ledger: Ledger) -> None:
    """Write the sum of *ledger* over an older one, if that saves a later reader enough.

    A disk that refuses is no error.
    """
    with ledger.lock:
        read_bytes = sum(file.offset for file in ledger.sessions.values())
        if read_bytes - ledger.cached_bytes < CACHE_WORTH_BYTES:
            return
        content = _encoded(ledger)
    with suppress(OSError, StorageError):
        durable.write_hint(ledger.paths.ledger_cache, content)


def _encoded(ledger: Ledger) -> bytes:
    text = json.dumps(_document(ledger), separators=(",", ":")).encode()
    columns = chain(*(_columns(arm) for arm in ledger.progress.arms.values()))
    body = b"".join((text, b"\n", *columns))
    return b"%b%08x\n%b" % (_MAGIC, google_crc32c.value(body), body)


def _columns(arm: ArmProgress) -> Iterator[bytes]:
    """Per chunk: whether it is committed, the length and the CRC of its stored bytes."""
    yield bytes(arm.committed)
    for column in (arm.lengths, arm.crcs):
        yield _little_endian(column).tobytes()


def _little_endian(column: array[int]) -> array[int]:
    if sys.byteorder == "little":
        return column
    swapped = array(column.typecode, column)
    swapped.byteswap()
    return swapped


def _document(ledger: Ledger) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "manifest": ledger.manifest.digest,
        "sessions": [_session_document(file) for file in ledger.sessions.values()],
        "bad_lines": [astuple(line) for line in ledger.bad_lines()],
        "arms": {name: _arm_document(arm) for name, arm in ledger.progress.arms.items()},
    }


def _session_document(file: SessionFile) -> dict[str, Any]:
    lines = [encode(line).decode() for line in (file.opened, file.closed) if line is not None]
    return {
        "name": file.name,
        "offset": file.offset,
        "crc": file.crc,
        "commits": file.commits,
        "stretches": file.stretches,
        "headless": file.headless,
        "lines": lines,
    }


def _arm_document(arm: ArmProgress) -> dict[str, Any]:
    return {
        "fingerprint": arm.plan.fingerprint,
        "n_chunks": arm.plan.n_chunks,
        "commits": arm.commits,
        "reused": arm.reused,
        "pruned_generation": arm.pruned_generation,
        "generations": list(arm.generations.items()),
        "forgotten": list(arm.forgotten.items()),
        "rivals": [(chunk, sorted(rivals)) for chunk, rivals in arm.rivals.items()],
        "failures": [encode(each).decode() for each in chain(*arm.failures.values())],
        "open_starts": [
            (session, encode(started).decode())
            for starts in arm.open_starts.values()
            for session, started in starts.items()
        ],
        "costs": [list(cost) for cost in arm.costs],
        "load_s": list(arm.load_s),
        "halvings": [encode(each).decode() for each in arm.halvings],
    }


def restore(ledger: Ledger) -> bool:
    """Take the sum over into *ledger*, which has read nothing yet, if it can be believed.

    Returns
    -------
    bool
        False if there is none, it is damaged, of another manifest or schema, or a byte of the
        ledger that it covers is no longer what it was. Then *ledger* is as it was.
    """
    try:
        return _restored(ledger)
    except _NO_CACHE:
        return False


def _restored(ledger: Ledger) -> bool:
    document, columns = _decoded(ledger.paths.ledger_cache)
    if not _is_of(ledger, document):
        return False
    files = [build(_Session, each) for each in document["sessions"]]
    if not all(_is_covered(ledger.paths.ledger, each) for each in files):
        return False
    arms = {
        name: _restored_arm(arm, columns, build(_Arm, document["arms"][name]))
        for name, arm in ledger.progress.arms.items()
    }
    bad_lines = [
        build(BadLine, dict(zip(_BAD, line, strict=True))) for line in document["bad_lines"]
    ]
    ledger.restore(arms, {each.name: _restored_session(each) for each in files}, bad_lines)
    return True


def _decoded(path: Path) -> tuple[dict[str, Any], _Columns]:
    """Read the cache.

    Raises
    ------
    OSError, ForeignFileError
        If there is none, or something else.
    ValueError
        If it was changed after it was written; the message says in what.
    """
    content = read_regular(path, _MOST_BYTES)
    start = len(_MAGIC) + _CRC
    if content[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it does not begin like a cache")
    body = memoryview(content)[start:]
    if content[len(_MAGIC) : start] != b"%08x\n" % google_crc32c.value(bytes(body)):
        raise ValueError("its CRC does not match its bytes")
    text, _, _ = content[start:].partition(b"\n")
    return parse_object(text), _Columns(body[len(text) + 1 :])


class _Columns:
    """What follows the document: numbers per chunk, arm by arm."""

    def __init__(self, data: memoryview) -> None:
        self._data = data

    def take(self, typecode: str, count: int) -> array[int]:
        column = array(typecode)
        size = count * column.itemsize
        if size > len(self._data):
            raise ValueError("it is too short")
        column.frombytes(self._data[:size])
        self._data = self._data[size:]
        return _little_endian(column)


def _is_of(ledger: Ledger, document: Any) -> bool:
    return bool(
        document["schema"] == SCHEMA
        and document["manifest"] == ledger.manifest.digest
        and list(document["arms"]) == list(ledger.progress.arms)
    )


def _is_covered(folder: Path, session: _Session) -> bool:
    if not 0 <= session.offset < _MOST or PurePath(session.name).name != session.name:
        return False
    left, crc = session.offset, 0
    with open_regular(folder / f"{session.name}{SUFFIX}") as stream:
        while left and (data := stream.read(min(left, _READ_BYTES))):
            crc = google_crc32c.extend(crc, data)
            left -= len(data)
    return left == 0 and crc == session.crc


def _restored_session(kept: _Session) -> SessionFile:
    file = SessionFile(
        name=kept.name,
        offset=kept.offset,
        crc=kept.crc,
        commits=kept.commits,
        stretches=kept.stretches,
        headless=kept.headless,
    )
    for line in kept.lines:
        match decode(line.rstrip("\n").encode()):
            case Opened() as opened:
                file.opened = opened
            case Closed() as closed:
                file.closed = closed
    return file


def _restored_arm(arm: ArmProgress, columns: _Columns, kept: _Arm) -> ArmProgress:
    restored = ArmProgress(arm.plan)
    n_chunks = arm.plan.n_chunks
    if (kept.fingerprint, kept.n_chunks) != (arm.plan.fingerprint, n_chunks):
        raise ValueError("another arm")
    kept.check()
    restored.committed = bytearray(columns.take("B", n_chunks))
    if restored.committed.count(0) + restored.committed.count(1) != n_chunks:
        raise ValueError("a chunk is neither committed nor missing")
    restored.lengths = columns.take("Q", n_chunks)
    restored.crcs = columns.take("I", n_chunks)
    restored.commits = kept.commits
    restored.reused = kept.reused
    restored.pruned_generation = kept.pruned_generation
    restored.generations = dict(kept.generations)
    restored.forgotten = dict(kept.forgotten)
    restored.rivals = {chunk: set(rivals) for chunk, rivals in kept.rivals}
    for session, line in kept.open_starts:
        match decode(line.rstrip("\n").encode()):
            case Started() as started:
                restored.open_starts.setdefault(started.chunk, {})[session] = started
    restored.costs = deque((Cost(*cost) for cost in kept.costs), maxlen=RECENT)
    restored.load_s = deque(kept.load_s, maxlen=RECENT)
    for line in chain(kept.failures, kept.halvings):
        match decode(line.rstrip("\n").encode()):
            case Failed() as failed:
                restored.failures.setdefault(failed.chunk, []).append(failed)
            case Halved() as halved:
                restored.halvings.append(halved)
    return restored


def difference(ledger: Ledger) -> str | None:
    """Say in what ``ledger.cache`` disagrees with the ledger; None if in nothing, or of no use.

    What it covers is compared, so that sessions may go on writing meanwhile. A cache that the disk
    refuses to read now is of no use, and not damaged.
    """
    cached, read = (Ledger(ledger.paths, ledger.manifest) for _ in range(2))
    try:
        with durable.refusals(ledger.paths.ledger_cache):
            document, _ = _decoded(ledger.paths.ledger_cache)
            if not _is_of(ledger, document):
                return None  # an older manifest's or schema's: nothing believes it
            if not _restored(cached):
                return "it covers bytes that are no longer what they were"
    except (FileNotFoundError, StorageError):
        return None
    except _NO_CACHE as error:
        return f"it cannot be read: {error}"
    for name, file in cached.sessions.items():
        read.read_until(name, file.offset)
    for name, arm in read.progress.arms.items():
        other = cached.progress.arms[name]
        if (arm.committed, arm.lengths, arm.crcs) != (other.committed, other.lengths, other.crcs):
            return f"it says other things of arm {name} than the ledger"
    return None

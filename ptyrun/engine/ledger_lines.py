"""What do a ledger's lines say that the sum does not keep? Read one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from ptyrun.engine.ledger import Ledger, session_files
from ptyrun.engine.long_lines import lines_of
from ptyrun.engine.records import BadLineError, Committed, Record, decode
from ptyrun.engine.usual_lines import seconds_of
from ptyrun.host import durable
from ptyrun.paths import RunPaths


def read_records(paths: RunPaths) -> Iterator[tuple[str, Record]]:
    """Every line that proves itself with the session it belongs to, in the order of sessions.

    For figures that the sum does not keep: statistics of chunks, tracebacks, a timeline.
    """
    for path in session_files(paths):
        with durable.storage_errors(path, "read"), path.open("rb") as stream:
            for line in lines_of(stream, path):
                try:
                    yield path.stem, decode(line.rstrip(b"\n"))
                except BadLineError:
                    continue


def read_seconds(paths: RunPaths) -> Iterator[tuple[str, float]]:
    """Fingerprint and seconds of every line that says that a chunk is there; as `read_records`."""
    for path in session_files(paths):
        with durable.storage_errors(path, "read"), path.open("rb") as stream:
            for raw in lines_of(stream, path):
                line = raw.rstrip(b"\n")
                if usual := seconds_of(line):
                    yield usual
                elif b'"commit"' in line:
                    with suppress(BadLineError):
                        record = decode(line)
                        if isinstance(record, Committed):
                            yield record.fingerprint, record.seconds


def half_lines(ledger: Ledger) -> tuple[str, ...]:
    """Name the sessions that are over and whose last line is not whole: it means nothing."""
    found = []
    for path in session_files(ledger.paths):
        file = ledger.sessions.get(path.stem)
        if file is not None and file.is_at_work:
            continue
        with durable.storage_errors(path, "read"), path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(size - 1, 0))
            if stream.read() not in (b"", b"\n"):
                found.append(path.stem)
    return tuple(found)

"""Are the files of a hub still those that ptyrun's stages made? By the digests in their records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ptyrun.errors import PtyrunError
from ptyrun.study.files import HubFiles
from ptyrun.study.hub import LOGS, is_record
from ptyrun.study.record import Record

MAX_RECORD_BYTES = 2**22
PIECE_BYTES = 4 << 20


def changes(files: HubFiles, names: tuple[str, ...]) -> dict[str, str]:
    """Say of files what is not as a stage made it, by name; records that are none are named, too.

    Every byte is read: that a file has the size and times it had proves nothing here.
    """
    return dict(_changes(files, names))


def _changes(files: HubFiles, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    there = set(names)
    for name in names:
        if not is_record(name):
            continue
        try:
            text = files.bytes(name, MAX_RECORD_BYTES).decode()
            record = Record.from_json(text, name)
        except (PtyrunError, UnicodeDecodeError) as error:
            why = error.why if isinstance(error, PtyrunError) else str(error)
            yield name, f"{name} is not a record of a stage: {why}"
            continue
        for output, digest in record.outputs.items():
            if output in there and _digest(files, output) != digest:
                yield output, f"{output} has other bytes than {record.stage} made"
        logs = {f"{LOGS}/{record.stage}.log": record.log_at, **record.notes_at}
        for log, state in logs.items():
            n_bytes, _, digest = state.partition(" ")
            is_known = n_bytes.isdecimal() and log in there
            if is_known and _digest(files, log, int(n_bytes)) != digest:
                yield log, f"{log} has other lines than {record.stage} wrote"


def _digest(files: HubFiles, name: str, n_bytes: int | None = None) -> str:
    found = hashlib.sha256()
    left = n_bytes
    try:
        with files.open(name) as stream:
            while piece := stream.read(PIECE_BYTES if left is None else min(PIECE_BYTES, left)):
                found.update(piece)
                left = None if left is None else left - len(piece)
    except (PtyrunError, OSError) as error:
        return str(error)
    return found.hexdigest()

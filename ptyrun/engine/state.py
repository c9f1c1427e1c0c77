"""How does a long ledger load in a moment?

``state.zarr`` is the ledger added up: arrays with one number per chunk, and per session how many
bytes of its file they cover, with the CRC of those bytes. A cache: it is believed only if every
covered byte still is what it was, and may be deleted at any time.
"""

from __future__ import annotations

import shutil
import time
from array import array
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple
from itertools import chain
from pathlib import Path
from secrets import token_hex
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BytesCodec, Crc32cCodec
from zarr.storage import LocalStore

from ptyrun.engine import checksums, durable
from ptyrun.engine.ledger import BadLine, Ledger, SessionFile
from ptyrun.engine.progress import RECENT, ArmProgress, Cost
from ptyrun.engine.records import Closed, Failed, Halved, Opened, Started, decode, encode
from ptyrun.engine.session import SUFFIX
from ptyrun.errors import StorageError

SCHEMA = 1
LEFT_OVER_S = 3600.0
MISSING, COMMITTED, FAILED = range(3)
_READ_BYTES = 2**22


def save(ledger: Ledger) -> None:
    """Write the sum of *ledger* over an older one; a disk that refuses is no error."""
    final = ledger.paths.state
    partial = final.with_name(f"{final.name}.{token_hex(4)}{durable.PARTIAL}")
    with suppress(OSError, StorageError), ledger.lock:
        _write(ledger, partial)
        # Out of the way in one step: killed half way through deleting it, it would be damaged.
        aside = final.with_name(f"{final.name}.{token_hex(4)}{durable.PARTIAL}")
        with suppress(OSError, StorageError):
            durable.publish(final, aside)
        durable.publish(partial, final)
        shutil.rmtree(aside, ignore_errors=True)
    _sweep(final)


def _sweep(final: Path) -> None:
    """Delete what killed sessions left; what is young another session may be writing."""
    for left_over in final.parent.glob(f"{final.name}.*{durable.PARTIAL}"):
        with suppress(OSError):
            if time.time() - left_over.stat().st_mtime > LEFT_OVER_S:
                shutil.rmtree(left_over, ignore_errors=True)


def _write(ledger: Ledger, folder: Path) -> None:
    root = zarr.create_group(LocalStore(folder))
    for name, arm in ledger.progress.arms.items():
        for column, values in _columns(arm).items():
            stored = root.create_array(
                f"{name}/{column}",
                shape=values.shape,
                chunks=(max(1, len(values)),),
                dtype=values.dtype,
                serializer=BytesCodec(endian="little"),
                compressors=[Crc32cCodec()],
                chunk_key_encoding={"name": "default", "separator": "."},
                dimension_names=("chunk",),
            )
            stored[...] = values
    # Last, because a state without attributes is none.
    root.attrs.put({"ptyrun": _document(ledger)})
    checksums.write(folder, (folder,))


def _columns(arm: ArmProgress) -> dict[str, NDArray[Any]]:
    status = np.frombuffer(arm.committed, np.uint8).copy()
    attempts = np.zeros(len(status), np.uint16)
    for chunk, failures in arm.failures.items():
        attempts[chunk] = len(failures)
        status[chunk] = status[chunk] or FAILED
    return {
        "status": status,
        "attempts": attempts,
        "length": np.frombuffer(arm.lengths, np.uint64),
        "crc32c": np.frombuffer(arm.crcs, np.uint32),
    }


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
        "costs": [astuple(cost) for cost in arm.costs],
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
        root = _opened(ledger)
        document = _attributes(root)
        if not _is_of(ledger, document) or any(checksums.problems(ledger.paths.state)):
            return False
        if not all(_is_covered(ledger.paths.ledger, each) for each in document["sessions"]):
            return False
        arms = {
            name: _restored_arm(ledger.progress.arms[name], root, document["arms"][name])
            for name in ledger.progress.arms
        }
        sessions = {each["name"]: _restored_session(each) for each in document["sessions"]}
        bad_lines = [BadLine(*line) for line in document["bad_lines"]]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return False
    ledger.restore(arms, sessions, bad_lines)
    return True


def _opened(ledger: Ledger) -> zarr.Group:
    return zarr.open_group(LocalStore(ledger.paths.state, read_only=True), mode="r")


def _attributes(root: zarr.Group) -> Any:
    return root.attrs["ptyrun"]


def _is_of(ledger: Ledger, document: Any) -> bool:
    return bool(document["schema"] == SCHEMA and document["manifest"] == ledger.manifest.digest)


def _is_covered(folder: Path, session: Mapping[str, Any]) -> bool:
    left, crc = int(session["offset"]), 0
    with (folder / f"{session['name']}{SUFFIX}").open("rb") as stream:
        while left and (data := stream.read(min(left, _READ_BYTES))):
            crc = google_crc32c.extend(crc, data)
            left -= len(data)
    return left == 0 and crc == session["crc"]


def _restored_session(document: Mapping[str, Any]) -> SessionFile:
    file = SessionFile(
        name=document["name"],
        offset=document["offset"],
        crc=document["crc"],
        commits=document["commits"],
        stretches=document["stretches"],
        headless=document["headless"],
    )
    for line in document["lines"]:
        match decode(line.rstrip("\n").encode()):
            case Opened() as opened:
                file.opened = opened
            case Closed() as closed:
                file.closed = closed
    return file


def _restored_arm(arm: ArmProgress, root: zarr.Group, document: Mapping[str, Any]) -> ArmProgress:
    restored = ArmProgress(arm.plan)
    if document["fingerprint"] != arm.plan.fingerprint:
        raise ValueError("another arm")
    columns = {name: _column(root, f"{arm.plan.name}/{name}") for name in _columns(arm)}
    if any(len(values) != arm.plan.n_chunks for values in columns.values()):
        raise ValueError("another cut")
    restored.committed = bytearray((columns["status"] == COMMITTED).astype(np.uint8).tobytes())
    restored.lengths = array("Q", columns["length"].tobytes())
    restored.crcs = array("I", columns["crc32c"].tobytes())
    restored.commits = document["commits"]
    restored.reused = document["reused"]
    restored.pruned_generation = document["pruned_generation"]
    restored.generations = dict(document["generations"])
    restored.forgotten = dict(document["forgotten"])
    restored.rivals = {chunk: set(map(tuple, rivals)) for chunk, rivals in document["rivals"]}
    for session, line in document["open_starts"]:
        match decode(line.rstrip("\n").encode()):
            case Started() as started:
                restored.open_starts.setdefault(started.chunk, {})[session] = started
    restored.costs = deque((Cost(*cost) for cost in document["costs"]), maxlen=RECENT)
    restored.load_s = deque(document["load_s"], maxlen=RECENT)
    for line in chain(document["failures"], document["halvings"]):
        match decode(line.rstrip("\n").encode()):
            case Failed() as failed:
                restored.failures.setdefault(failed.chunk, []).append(failed)
            case Halved() as halved:
                restored.halvings.append(halved)
    return restored


def _column(root: zarr.Group, path: str) -> NDArray[Any]:
    stored = root[path]
    if not isinstance(stored, zarr.Array):
        raise ValueError(f"{path} is no array")
    return np.asarray(stored[...])


def difference(ledger: Ledger) -> str | None:
    """Say in what ``state.zarr`` disagrees with *ledger*, read without it; None if in nothing."""
    if not ledger.paths.state.exists():
        return None
    damage = next(checksums.problems(ledger.paths.state), None)
    if damage is not None:
        return f"{damage[0]}: {damage[1]}"
    if not _is_of(ledger, _attributes(_opened(ledger))):
        return None  # an older manifest's: nobody believes it, and the next session replaces it
    other = Ledger(ledger.paths, ledger.manifest)
    if not restore(other):
        return "it cannot be read, or covers bytes that are no longer what they were"
    other.refresh()
    for name, arm in ledger.progress.arms.items():
        restored = other.progress.arms[name]
        if (arm.committed, arm.lengths, arm.crcs) != (
            restored.committed,
            restored.lengths,
            restored.crcs,
        ):
            return f"it says other things of arm {name} than the ledger"
    return None

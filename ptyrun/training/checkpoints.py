"""How far has a training come? States as plain arrays, in files that are whole or name their fault.

A file has the layout of safetensors (length of a JSON header, header, arrays), so that nothing in
it is ever run; its metadata hold the SHA-256 of the arrays, and from what they were computed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import ForeignFileError
from ptyrun.host import durable, listing
from ptyrun.host.documents import canonical_json
from ptyrun.host.regular import read_regular
from ptyrun.host.typed_json import parse_object

KEPT = 2
MAX_BYTES = 2**34
MAX_HEADER_BYTES = 2**24
_METADATA = "__metadata__"
_NAME = re.compile(r"state-(\d{12})\.safetensors")
_KINDS = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2"},
    **{"I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1"},
    **{"C64": "<c8"},
}
_CODES = {np.dtype(text): code for code, text in _KINDS.items()}

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """A state after ``step`` steps."""

    step: int
    arrays: Arrays


class Checkpoints:
    """States of one training, the last ones kept.

    Parameters
    ----------
    folder : Path
    facts : str
        All that the training depends on, as a digest: states of another one are not resumed.
    """

    def __init__(self, folder: Path, facts: str) -> None:
        self.folder, self._facts = folder, facts

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a state, on disk for good, then delete those that are older than the last one."""
        durable.make_folder(self.folder)
        path = self.folder / f"state-{checkpoint.step:012d}.safetensors"
        durable.write_atomic(path, packed(checkpoint.arrays, self._facts))
        for _, older in self._found()[KEPT:]:
            older.unlink(missing_ok=True)

    def find(self) -> Iterator[Checkpoint | str]:
        """Give the states that are there, the newest first; of a bad one, what is wrong with it."""
        for step, path in self._found():
            try:
                arrays = unpacked(read_regular(path, MAX_BYTES), self._facts)
            except (OSError, ValueError, ForeignFileError) as error:
                why = error.why if isinstance(error, ForeignFileError) else error
                yield f"{path.name} is not resumed: {why}"
            else:
                yield Checkpoint(step, arrays)

    def _found(self) -> list[tuple[int, Path]]:
        names = (entry.name for entry in listing.entries(self.folder))
        found = [(int(match[1]), name) for name in names if (match := _NAME.fullmatch(name))]
        return [(step, self.folder / name) for step, name in sorted(found, reverse=True)]


def packed(arrays: Arrays, facts: str) -> bytes:
    """Lay arrays out as one file: equal arrays give equal bytes.

    Raises
    ------
    ValueError
        If an array has a dtype that the format does not know.
    """
    entries: dict[str, object] = {}
    parts: list[bytes] = []
    end = 0
    for name, array in sorted(arrays.items()):
        if name == _METADATA or array.dtype not in _CODES:
            raise ValueError(f"a state holds no {array.dtype} called {name!r}")
        part = np.ascontiguousarray(array).tobytes()
        begin, end = end, end + len(part)
        entries[name] = {
            "dtype": _CODES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
        parts.append(part)
    payload = b"".join(parts)
    metadata = {"facts": facts, "format": "ptyrun-training-1", "sha256": _digest(entries, payload)}
    header = canonical_json({_METADATA: metadata, **entries}).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + payload


def unpacked(data: bytes, facts: str) -> Arrays:
    """Read what `packed` wrote.

    Raises
    ------
    ValueError
        If it is torn, changed, or of another training.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise ValueError("it is cut off, or not a saved state")
    try:
        entries = parse_object(data[8 : 8 + length].decode())
    except (ValueError, RecursionError) as error:
        raise ValueError("its header is damaged") from error
    payload = data[8 + length :]
    metadata = entries.pop(_METADATA, None)
    if not isinstance(metadata, dict):
        raise ValueError("ptyrun did not write it")
    if metadata.get("facts") != facts:
        raise ValueError("it belongs to another training")
    if metadata.get("sha256") != _digest(entries, payload):
        raise ValueError("its checksum does not match")
    return {name: _array(name, entry, payload) for name, entry in entries.items()}


def _digest(entries: Mapping[str, object], payload: bytes) -> str:
    digest = hashlib.sha256(canonical_json(entries).encode())
    digest.update(payload)
    return digest.hexdigest()


def _array(name: str, entry: Any, payload: bytes) -> NDArray[Any]:
    try:
        dtype, shape = np.dtype(_KINDS[entry["dtype"]]), tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        return np.frombuffer(payload[begin:end], dtype).reshape(shape)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"its array {name!r} is not valid") from error

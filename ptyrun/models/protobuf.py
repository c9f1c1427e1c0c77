"""Which fields does a protocol buffer hold? Read without the library, and without the schema.

Encoding: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from ptyrun.host.regular import read_bounded

# A field takes about a microsecond to pass over; large networks have some thousands of operators.
MAX_FIELDS = 4_000_000
MAX_BYTES = 2**31 - 1  # of a message, says the format
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def message_of(path: Path) -> memoryview:
    """Read the file of one message.

    Raises
    ------
    OSError
        As the system says.
    ValueError
        If it is longer than any message, or than memory holds.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise ValueError(f"{size} bytes; a protocol buffer has at most {MAX_BYTES}")
        try:
            return memoryview(read_bounded(file, size))
        except MemoryError as error:
            raise ValueError(f"{size} bytes do not fit into memory") from error


class _Budget:
    """How many more fields may be passed over."""

    def __init__(self, left: int) -> None:
        self.left = left


_budget: ContextVar[_Budget | None] = ContextVar("_budget", default=None)


@contextmanager
def bounded() -> Iterator[None]:
    """Within it, `MAX_FIELDS` may be passed over, all told; then ValueError is raised."""
    token = _budget.set(_Budget(MAX_FIELDS))
    try:
        yield
    finally:
        _budget.reset(token)


def integers(message: memoryview, wanted: int) -> list[int]:
    """Give the values of an integer field, in order; packed ones too."""
    found: list[int] = []
    for number, value in fields(message):
        if number == wanted:
            found += [value] if isinstance(value, int) else _packed(value)
    return found


def _packed(values: memoryview) -> Iterator[int]:
    at = 0
    while at < len(values):
        value, at = _varint(values, at)
        yield value


def messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """Give the messages under one field number, in order."""
    for number, value in fields(message):
        if number == wanted and isinstance(value, memoryview):
            yield value


def texts(message: memoryview, wanted: int) -> list[bytes]:
    """Give the values of a field of bytes or text, in order."""
    return [bytes(value) for value in messages(message, wanted)]


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values of one message, in order."""
    budget = _budget.get() or _Budget(MAX_FIELDS)
    at = 0
    while at < len(message):
        budget.left -= 1
        if budget.left < 0:
            raise ValueError("it consists of too many parts to be looked through")
        tag, at = _varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:  # as where a file has a hole
            raise ValueError(f"a field without a number before byte {at}")
        if wire_type == VARINT:
            value, at = _varint(message, at)
            yield number, value
        else:
            if wire_type == BYTES:
                length, at = _varint(message, at)
            elif wire_type in (FIXED32, FIXED64):
                length = 4 if wire_type == FIXED32 else 8
            else:
                raise ValueError(f"wire type {wire_type} at byte {at}")
            if at + length > len(message):
                raise ValueError(f"field {number} ends beyond its message")
            yield number, message[at : at + length]
            at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"a number of more than 10 bytes at byte {at}")

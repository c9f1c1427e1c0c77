"""Is a ledger line of other types damage, and never a traceback?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.engine.long_lines import MAX_LINE_BYTES, lines_of
from ptyrun.engine.records import (
    ArmOpened,
    BadLineError,
    Closed,
    Committed,
    Opened,
    Record,
    Started,
    decode,
    encode,
)
from ptyrun.errors import ForeignFileError

OPENED = Opened(
    "d" * 64, 1, "host", 12, 3.0, "boot", 20.0, 0.5, "2026-01-01T00:00:00+00:00", "0.1.0"
)
COMMITTED = Committed(
    "pinn",
    3,
    "pinn/patches/c.3.0.0",
    100,
    "0123abcd",
    "f" * 16,
    1,
    2.0,
    0.1,
    True,
    3.0,
    0,
    {"a": 1},
)
RECORDS: list[Record] = [
    OPENED, COMMITTED, Started("pinn", 1, 0, 2.0), ArmOpened("pinn", 1), Closed(0, "done", 1, 2.0),
]  # fmt: skip


def line(record: Record, **changed: Any) -> bytes:
    """A line whose CRC is right, whatever it says."""
    document = json.loads(encode(record))
    del document["crc"]
    body = json.dumps({**document, **changed}, separators=(",", ":"))[:-1].encode()
    return b'%b,"crc":"%08x"}' % (body, google_crc32c.value(body))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_line_reads_back(record: Record) -> None:
    assert decode(line(record)) == record
    assert decode(line(replace(OPENED, budget_s=None))).budget_s is None  # type: ignore[union-attr]


def each(*values: Any) -> tuple[Any, ...]:
    return values


WRONG: list[tuple[Record, dict[str, Any]]] = [
    *[(COMMITTED, {"chunk": value}) for value in each("3", [3], -1, True, None, 1.5, 10**30)],
    *[(COMMITTED, {"length": value}) for value in each(-1, "9", 2**70)],
    *[(COMMITTED, {"crc32c": value}) for value in each(3, "xyz", "0x123456", "", "1" * 9)],
    *[(COMMITTED, {"seconds": value}) for value in each("fast", None, [], 1e300)],
    *[(COMMITTED, {"stats": value}) for value in each([], "x", {"a": [1]}, {"a": {"b": 1}})],
    *[(COMMITTED, {"arm": value}) for value in each(3, None, ["pinn"], {})],
    *[(OPENED, {"opened_at": value}) for value in each("today", "", 3, "2026-01-01T00:00:00")],
    *[(OPENED, {"manifest": value}) for value in each(None, ["d"], {})],
    *[(OPENED, {"pid": value}) for value in each("1", -1, None)],
    *[(OPENED, {"schema": value}) for value in each("1", None, [])],
    *[(Closed(0, "done", 1, 2.0), {"exit_code": value}) for value in each("0", [], None)],
]


@pytest.mark.parametrize(("record", "changed"), WRONG, ids=repr)
def test_a_line_of_other_types_is_bad(record: Record, changed: dict[str, Any]) -> None:
    with pytest.raises(BadLineError):
        decode(line(record, **changed))


@pytest.mark.parametrize("inside", ["[" * 100_000, "NaN", "1e999", "-Infinity"])
def test_numbers_and_nesting_that_are_none_are_bad(inside: str) -> None:
    body = b'{"event":"arm_open","arm":"pinn","seconds":' + inside.encode()
    with pytest.raises(BadLineError):
        decode(b'%b,"crc":"%08x"}' % (body, google_crc32c.value(body)))


@given(
    st.sampled_from(RECORDS),
    st.data(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=4,
    ),
)
def test_whatever_a_field_holds_the_line_is_read_or_bad(
    record: Record, data: st.DataObject, value: Any
) -> None:
    name = data.draw(st.sampled_from([*json.loads(encode(record))]))
    try:
        read = decode(line(record, **{name: value}))
    except BadLineError:
        return
    assert decode(encode(read)[:-1]) == read


def test_a_line_without_end_is_refused_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with path.open("wb") as stream:
        stream.write(encode(RECORDS[0]))
        stream.truncate(MAX_LINE_BYTES * 1000)
    with path.open("rb") as stream:
        lines = lines_of(stream, path)
        assert next(lines) == encode(RECORDS[0])
        with pytest.raises(ForeignFileError, match=r"session\.jsonl is not a session's ledger"):
            next(lines)

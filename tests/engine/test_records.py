from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.engine.records import (
    ArmOpened,
    BadLineError,
    Closed,
    Committed,
    Disregarded,
    Failed,
    Forgotten,
    Halved,
    NewerLineError,
    Opened,
    Record,
    Started,
    decode,
    encode,
)

COMMIT = Committed(
    arm="pinn",
    chunk=17,
    key="pinn/patches/c.17.0.0",
    length=8196,
    crc32c="9f1c22ab",
    fingerprint="8fea6d4255b5a9c5",
    attempt=1,
    seconds=0.25,
    write_s=0.01,
    warm=True,
    at_s=3.5,
    stats={"mean": 0.5, "nonzero_count": 3, "note": 'a "quoted" word', "flag": None},
)
finite = st.floats(0, 1e6, allow_nan=False)
chunks = st.integers(0, 10**6)
records = st.one_of(
    st.builds(
        Opened,
        manifest=st.text(max_size=8),
        sequence=chunks,
        host=st.text(max_size=8),
        pid=chunks,
        process_started_s=finite,
        boot_id=st.text(max_size=8),
        budget_s=st.none() | finite,
        startup_s=finite,
        opened_at=st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
        version=st.text(max_size=8),
    ),
    st.builds(ArmOpened, st.text(max_size=8), finite),
    st.builds(
        Halved,
        st.text(max_size=8),
        st.text(max_size=8),
        chunks,
        chunks,
        st.text(max_size=8),
        finite,
    ),
    st.builds(Started, st.text(max_size=8), chunks, chunks, finite),
    st.builds(Failed, st.text(max_size=8), chunks, chunks, st.text(), st.text(), finite, chunks),
    st.builds(Forgotten, st.text(max_size=8), chunks, chunks, st.text()),
    st.builds(Disregarded, st.text(max_size=8), chunks, chunks, st.text(max_size=8)),
    st.builds(Closed, st.integers(0, 99), st.text(), chunks, finite),
    st.builds(
        lambda chunk, stats: replace(COMMIT, chunk=chunk, stats=stats),
        chunks,
        st.dictionaries(st.text(max_size=8), st.none() | finite | st.booleans() | st.text()),
    ),
)


@given(records)
def test_a_line_says_what_was_written_and_nothing_else(record: Record) -> None:
    line = encode(record)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert decode(line[:-1]) == record


def test_a_line_is_json_whose_last_field_is_its_crc() -> None:
    document = json.loads(encode(COMMIT))
    assert next(iter(document)) == "event"
    assert list(document)[-1] == "crc"
    assert document["event"] == "commit"


def test_every_flipped_bit_of_a_line_is_found() -> None:
    line = encode(COMMIT)[:-1]
    for place in range(len(line)):
        for bit in range(8):
            flipped = line[:place] + bytes([line[place] ^ 1 << bit]) + line[place + 1 :]
            with pytest.raises(BadLineError):
                decode(flipped)


@given(st.binary(max_size=300))
def test_no_bytes_are_taken_for_a_line_by_accident(data: bytes) -> None:
    with pytest.raises(BadLineError):
        decode(data)


@given(st.integers(0, 400))
def test_no_beginning_of_a_line_is_taken_for_a_line(length: int) -> None:
    line = encode(COMMIT)[:-1]
    with pytest.raises(BadLineError):
        decode(line[: min(length, len(line) - 1)])


def test_figures_that_json_cannot_say_become_null() -> None:
    record = decode(encode(replace(COMMIT, stats={"mean": math.nan, "max": -math.inf}))[:-1])
    assert isinstance(record, Committed)
    assert record.stats == {"mean": None, "max": None}


def line_of(**fields: object) -> bytes:
    body = json.dumps(fields, separators=(",", ":"))[:-1].encode()
    return b'%b,"crc":"%08x"}' % (body, google_crc32c.value(body))


def test_an_event_that_is_not_known_is_newer_and_no_damage() -> None:
    with pytest.raises(NewerLineError, match="'weigh'"):
        decode(line_of(event="weigh", kilograms=3))


def test_a_field_that_is_not_known_is_newer_and_no_damage() -> None:
    body = json.loads(encode(COMMIT))
    del body["crc"]
    with pytest.raises(NewerLineError, match="unknown field 'tilt'"):
        decode(line_of(**body, tilt=3))


def test_a_session_of_a_newer_schema_names_its_version_whatever_its_fields() -> None:
    with pytest.raises(NewerLineError, match="schema 2") as refused:
        decode(line_of(event="session_open", schema=2, version="0.9", tilts=[1]))
    error = refused.value.of("000001-here")
    assert "session 000001-here was written by a newer ptyrun (0.9)" in str(error)


@pytest.mark.parametrize("event", [None, 3, ["commit"], {}])
def test_an_event_that_is_no_word_is_damage(event: object) -> None:
    with pytest.raises(BadLineError) as refused:
        decode(line_of(event=event, arm="pinn"))
    assert not isinstance(refused.value, NewerLineError)

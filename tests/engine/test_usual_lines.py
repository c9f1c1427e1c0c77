"""Lines that are read quickly say just what they say when they are read with care."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptyrun.engine import ledger as ledger_module
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.ledger_lines import read_records, read_seconds
from ptyrun.engine.progress import ArmProgress, Progress
from ptyrun.engine.records import (
    BadLineError,
    Committed,
    Failed,
    Forgotten,
    Record,
    Started,
    decode,
    encode,
)
from ptyrun.engine.usual_lines import UsualLines, seconds_of
from ptyrun.paths import RunPaths
from tests.engine.test_ledger import ARM, MANIFEST, commit, session

chunks = st.integers(0, 12)  # the plan has ten
generations = st.integers(0, 2)
figures = st.dictionaries(
    st.sampled_from(["mean", "max", "nonzero_count", "größe"]),
    st.one_of(st.integers(-9, 2**54), st.floats(allow_nan=False), st.booleans(), st.text("é1\\x")),
)
records: st.SearchStrategy[Record] = st.one_of(
    st.builds(
        Committed,
        arm=st.sampled_from(["one", "gone", "größe"]),
        chunk=chunks,
        key=st.just("one/patches/c.1.0.0"),
        length=st.integers(0, 2**53 - 1),
        crc32c=st.sampled_from(["00000001", "0a0b0c0d"]),
        fingerprint=st.sampled_from([ARM.fingerprint, ARM.fingerprint, "another"]),
        attempt=st.just(1),
        seconds=st.floats(0, 1e15),
        write_s=st.floats(0, 1),
        warm=st.booleans(),
        at_s=st.floats(-1, 1e6),
        generation=generations,
        stats=figures,
    ),
    st.builds(Started, st.just("one"), chunks, generations, st.floats(0, 9), st.integers(0, 9)),
    st.builds(Forgotten, st.just("one"), chunks, generations, st.just("damaged")),
    st.builds(
        Failed,
        *(st.just("one"), chunks, st.just(1), st.just("no"), st.just("Traceback")),
        *(st.just(1.0), generations),
    ),
)


def told(arm: ArmProgress) -> dict[str, object]:
    """All that is known of an arm."""
    return {
        name: list(value) if isinstance(value, deque) else value
        for name, value in vars(arm).items()
        if name != "_first_missing"
    } | {"missing": list(arm.missing())}


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), records), max_size=30))
def test_lines_read_quickly_add_up_to_what_they_say_one_by_one(
    written: list[tuple[str, Record]],
) -> None:
    slow, quick = Progress(MANIFEST), Progress(MANIFEST)
    name, usual = "", UsualLines(quick, "")
    for session_name, record in written:
        line = encode(record)[:-1]
        slow.apply(session_name, decode(line))
        if name != session_name:
            usual.flush()
            name, usual = session_name, UsualLines(quick, session_name)
        if not usual.add(line, counts=True):
            usual.flush()
            quick.apply(session_name, decode(line))
    usual.flush()
    arm = quick.arms["one"]
    assert told(slow.arms["one"]) == told(arm)
    assert arm.chunks_committed == sum(arm.committed)
    assert list(arm.missing()) == [c for c, is_done in enumerate(arm.committed) if not is_done]


@settings(max_examples=300)
@given(records, st.data())
def test_what_is_read_quickly_is_read_with_care_too(record: Record, data: st.DataObject) -> None:
    """Any change of a line under a right CRC: what the quick way takes, the other one takes."""
    body = bytearray(encode(record)[:-1].rpartition(b',"crc"')[0])
    place = data.draw(st.integers(0, len(body) - 1))
    body[place : place + data.draw(st.integers(0, 3))] = data.draw(
        st.sampled_from(
            [b"", b"0", b"-", b'"', b"\\", b"e9", b"\xff", b"1e-400", b"{", b",", b"\n"]
        )
    )
    line = b'%b,"crc":"%08x"}' % (bytes(body), google_crc32c.value(bytes(body)))
    progress = Progress(MANIFEST)
    if not UsualLines(progress, "s").add(line, counts=True):
        return
    found = decode(line)  # raises if it is none
    assert isinstance(found, Started | Committed)
    if isinstance(found, Committed):
        assert seconds_of(line) == (found.fingerprint, found.seconds)


def test_a_line_whose_crc_is_wrong_is_not_read_quickly() -> None:
    for record in (commit(1), Started("one", 1, 0, 1.0)):
        line = encode(record)[:-1]
        for place in (20, len(line) - 3):
            bad = bytearray(line)
            bad[place] ^= 1
            with pytest.raises(BadLineError):
                decode(bytes(bad))
            progress = Progress(MANIFEST)
            assert not UsualLines(progress, "s").add(bytes(bad), counts=True)
            assert seconds_of(bytes(bad)) is None
            assert not progress.chunks_committed


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(block=st.integers(1, 700))
def test_a_ledger_says_the_same_in_whatever_pieces_it_is_read(tmp_path: Path, block: int) -> None:
    paths = RunPaths(tmp_path / f"run-{block}")
    paths.root.mkdir(exist_ok=True)
    if not paths.ledger.exists():
        session(paths, [Started("one", c, 0, 1.0, c + 1) for c in range(4)] + [commit(2)])
        torn = encode(commit(3))[:-9]
        (path,) = paths.ledger.iterdir()
        path.write_bytes(path.read_bytes() + torn)
    whole, pieces = Ledger(paths, MANIFEST), Ledger(paths, MANIFEST)
    whole.refresh()
    read_bytes, ledger_module._READ_BYTES = ledger_module._READ_BYTES, block
    try:
        pieces.refresh()
    finally:
        ledger_module._READ_BYTES = read_bytes
    assert told(whole.progress.arms["one"]) == told(pieces.progress.arms["one"])
    assert whole.sessions == pieces.sessions
    assert [f.stretches for f in whole.sessions.values()] == [4]


def test_seconds_are_those_of_every_line_that_says_that_a_chunk_is_there(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    session(paths, [commit(1), Started("one", 2, 0, 1.0), commit(2)])
    session(paths, [replace(commit(3), arm="größe")])
    expected = [
        (record.fingerprint, record.seconds)
        for _, record in read_records(paths)
        if isinstance(record, Committed)
    ]
    assert list(read_seconds(paths)) == expected
    assert len(expected) == 3


def test_a_commit_that_is_added_alone_ends_its_start_and_counts_for_its_own_arm_only() -> None:
    progress = Progress(MANIFEST)
    arm = progress.arms["one"]
    for chunk in (2, 3):
        progress.apply("s", Started("one", chunk, 0, 1.0))
    progress.apply("s", commit(2))
    progress.apply("s", replace(commit(3), fingerprint="0" * 64))
    assert (list(arm.open_starts), arm.commits) == ([3], 1)
    assert [chunk for chunk, yes in enumerate(arm.committed) if yes] == [2]


@pytest.mark.parametrize("stats", ['"a":1,"a":2', '"a":"x","b":1,"a":1'])
def test_a_line_with_a_name_twice_proves_nothing(stats: str) -> None:
    line = encode(commit(0))[:-1]
    body = re.sub(rb'"stats":\{.*\},"crc.*', f'"stats":{{{stats}}}'.encode(), line)
    assert body != line
    twice = b'%b,"crc":"%08x"}' % (body, google_crc32c.value(body))
    with pytest.raises(BadLineError, match="there twice"):
        decode(twice)
    assert not UsualLines(Progress(MANIFEST), "").add(twice, counts=True)
    assert seconds_of(twice) is None
    once = body.replace(b'"a":1', b'"c":1')
    assert UsualLines(Progress(MANIFEST), "").add(
        b'%b,"crc":"%08x"}' % (once, google_crc32c.value(once)), counts=True
    )

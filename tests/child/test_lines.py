"""Do lines arrive whole, and is nothing else taken for one?"""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.child.lines import MAX_LINE_BYTES, GarbledLineError, Lines, encoded, receive, send

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=4)


@given(MESSAGES, st.integers(1, 9))
def test_messages_arrive_however_they_are_cut(messages: list[dict[str, object]], cut: int) -> None:
    stream = b"".join(map(encoded, messages))
    lines, found = Lines(), []
    for start in range(0, len(stream), cut):
        lines.feed(stream[start : start + cut])
        while (message := lines.next()) is not None:
            found.append(message)
    assert found == messages


@given(st.binary(max_size=200))
def test_anything_else_is_told_as_such(data: bytes) -> None:
    lines = Lines()
    lines.feed(data)
    try:
        message = lines.next()
    except GarbledLineError:
        return
    assert message is None or isinstance(message, dict)


@pytest.mark.parametrize("data", [b"[" * 100_000 + b"\n", b"x" * (MAX_LINE_BYTES + 1), b"7\n"])
def test_bombs_are_no_lines(data: bytes) -> None:
    lines = Lines()
    with pytest.raises(GarbledLineError):
        lines.feed(data)
        lines.next()


def test_a_side_that_is_gone_has_no_more_to_say() -> None:
    reader, writer = os.pipe()
    lines = Lines()
    send(writer, encoded({"a": "ä\ud800"}))
    os.close(writer)
    assert receive(reader, lines) == {"a": "ä\ud800"}
    assert receive(reader, lines) is None
    os.close(reader)

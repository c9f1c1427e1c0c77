"""What of that which a predictor writes is told?"""

from __future__ import annotations

import os

import pytest

from ptyrun.child import words
from ptyrun.child.words import LEFT_OUT, Words


@pytest.mark.parametrize("line", [b"x\n", b"\x00" * 1000 + b"\n"])
def test_what_it_writes_makes_no_log_longer_than_that(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "_MOST_BYTES", 1 << 17)
    reader, writer = os.pipe()
    told: list[str] = []
    heard = Words(reader, told.append)
    try:
        for _ in range(100):
            os.write(writer, line * (40_000 // len(line)))
            while heard.hear():
                pass
    finally:
        os.close(writer)
        heard.close()
    as_logged = [f"2026-01-01 00:00:00,000 ptyrun.child pinn says: {each}\n" for each in told]
    assert sum(map(len, as_logged)) < 1.2 * (1 << 17)
    assert told[-1] == LEFT_OUT
    assert told.count(LEFT_OUT) == 1
    assert told[0][:1] in ("x", "\\")


def test_of_a_flood_not_even_lines_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_FLOOD_BYTES", 1 << 17)
    reader, writer = os.pipe()
    told: list[str] = []
    heard = Words(reader, told.append)
    try:
        for _ in range(10):
            os.write(writer, b"\n" * 60_000)
            while heard.hear():
                pass
        os.write(writer, b"the last word\n")
        assert heard.hear()
    finally:
        os.close(writer)
        heard.close()
    assert told == [LEFT_OUT]
    assert heard.last == "the last word"

"""Does a deflated stream give the same bytes wherever it is entered?"""

from __future__ import annotations

import io
import itertools
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.host import inflating
from ptyrun.host.inflating import Entry, inflated

START = Entry(0, 0, 0)
WINDOW_BYTES = 32 << 10

pytestmark = pytest.mark.skipif(inflating.library() is None, reason="no library of zlib here")


def deflated(data: bytes, level: int, strategy: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    return packer.compress(data) + packer.flush()


def counts(size: int, mean: float, seed: int) -> bytes:
    return np.random.default_rng(seed).poisson(mean, size).astype(np.uint16).tobytes()


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(0, 400_000),
    mean=st.sampled_from([0.001, 0.5, 30.0, 5000.0]),
    level=st.integers(0, 9),
    strategy=st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_FIXED]),
    every=st.sampled_from([1, 10_000, 200_000]),
    before=st.integers(0, 9),
)
def test_any_stream_goes_on_from_any_entry(
    size: int, mean: float, level: int, strategy: int, every: int, before: int
) -> None:
    data = counts(size, mean, size)
    packed = deflated(data, level, strategy)
    file = io.BytesIO(b"x" * before + packed + b"what follows")

    def pieces(entry=START, window=b""):
        return list(inflated(file, before, len(packed), entry, window, every))

    found = pieces()
    assert b"".join(piece for piece, _ in found) == data
    entries = [entry for _, entry in found if entry]
    for entry in entries[:: max(1, len(entries) // 4)]:
        window = data[max(0, entry.given_bytes - WINDOW_BYTES) : entry.given_bytes]
        rest = pieces(entry, window)
        assert b"".join(piece for piece, _ in rest) == data[entry.given_bytes :]


def test_a_long_stream_has_entries() -> None:
    packed = deflated(counts(1_000_000, 30.0, 1), 6, zlib.Z_DEFAULT_STRATEGY)
    found = list(inflated(io.BytesIO(packed), 0, len(packed), START, b"", 200_000))
    entries = [entry for _, entry in found if entry]
    assert len(entries) > 5
    assert any(entry.bits for entry in entries)
    assert all(b.given_bytes - a.given_bytes >= 200_000 for a, b in itertools.pairwise(entries))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_spoilt_stream_is_an_error_or_other_bytes(data: st.DataObject) -> None:
    packed = bytearray(deflated(counts(20_000, 30.0, 2), 6, zlib.Z_DEFAULT_STRATEGY))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(packed)))
    try:
        for _ in inflated(io.BytesIO(packed), 0, cut, START, b"", 1000):
            pass
    except zlib.error:
        pass

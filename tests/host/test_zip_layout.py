from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ptyrun.host.zip_layout import AmbiguousZipError, require_one_reading

Content = dict[str, bytes]
MEMBERS: Content = {"a.npy": b"first" * 9, "data/b": b"", "c.json": b"{}" * 40}


class WithoutSeek(io.RawIOBase):
    """A pipe, to zipfile: sizes are known only after the bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self.written += piece
        return len(piece)


def archive(
    method: int = zipfile.ZIP_STORED, *, streamed: bool = False, zip64: bool = False
) -> bytes:
    pipe, buffer = WithoutSeek(), io.BytesIO()
    with zipfile.ZipFile(pipe if streamed else buffer, "w", method) as file:  # type: ignore[arg-type]
        for name, data in MEMBERS.items():
            with file.open(name, "w", force_zip64=zip64) as member:
                member.write(data)
    return bytes(pipe.written) if streamed else buffer.getvalue()


ARCHIVES = [
    archive(method, streamed=streamed, zip64=zip64)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    for streamed in (False, True)
    for zip64 in (False, True)
]


def passes(data: bytes) -> bool:
    try:
        require_one_reading(io.BytesIO(data))
    except AmbiguousZipError:
        return False
    return True


def by_python(data: bytes) -> Content:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def by_its_own_word(data: bytes) -> Content:
    """As readers do that believe the offset which the end record tells (miniz, libzip)."""
    at = struct.unpack_from("<I", data, len(data) - 6)[0]
    found: Content = {}
    while data[at : at + 4] == b"PK\1\2":
        method, crc, packed, _, *lengths = struct.unpack_from("<H4x3I3H", data, at + 10)
        begin = struct.unpack_from("<I", data, at + 42)[0]
        name = data[at + 46 : at + 46 + lengths[0]].decode()
        begin += 30 + sum(struct.unpack_from("<2H", data, begin + 26))
        found[name] = unpacked(method, crc, data[begin : begin + packed])
        at += 46 + sum(lengths)
    return found


def from_the_front(data: bytes) -> Content:
    """As readers do that never look at the directory (streams)."""
    at, found = 0, Content()
    while data[at : at + 4] == b"PK\3\4":
        flags, method, crc, packed, _, *lengths = struct.unpack_from("<2H4x3I2H", data, at + 6)
        name = data[at + 30 : at + 30 + lengths[0]].decode()
        if flags & 8:
            assume(False)  # where it ends, only its compression can tell
        extra = data[at + 30 + lengths[0] :][: lengths[1]]
        if packed == 0xFFFFFFFF:
            packed = struct.unpack_from("<Q", extra, 12)[0]
        begin = at + 30 + sum(lengths)
        found[name] = unpacked(method, crc, data[begin : begin + packed])
        at = begin + packed
    return found


def unpacked(method: int, crc: int, packed: bytes) -> bytes:
    data = packed if method == 0 else zlib.decompress(packed, -15)
    if zlib.crc32(data) != crc:
        raise zipfile.BadZipFile("bad CRC")
    return data


def reading(reader: Callable[[bytes], Content], data: bytes) -> Content | None:
    try:
        return reader(data)
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        EOFError,
        ValueError,
        RuntimeError,
    ):
        return None


@pytest.mark.parametrize("whole", ARCHIVES)
def test_an_honest_archive_passes(whole: bytes) -> None:
    assert passes(whole)
    assert by_python(whole) == MEMBERS


def test_what_numpy_and_pytorch_write_passes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra `pytorch` is not installed")
    np.savez(tmp_path / "a", x=np.arange(9), y=np.ones(3))
    np.savez_compressed(tmp_path / "b", x=np.arange(9), y=np.ones(3))
    torch.save({"w": torch.ones(100), "b": torch.ones(3)}, tmp_path / "c.pth")
    network = torch.nn.Conv2d(1, 2, 3)
    exported = torch.export.export(network, (torch.ones(1, 1, 8, 8),))
    torch.export.save(exported, tmp_path / "d.pt2")
    torch.save({"w": torch.ones(100)}, tmp_path / "gewöhnlich.pth")
    named: dict[str, Any] = {"größe": np.ones(3)}
    np.savez_compressed(tmp_path / "e", **named)
    pipe = WithoutSeek()
    np.savez_compressed(pipe, x=np.arange(9), y=np.ones(0))  # type: ignore[arg-type]
    (tmp_path / "f.npz").write_bytes(pipe.written)
    for path in tmp_path.iterdir():
        with path.open("rb") as file:
            require_one_reading(file)


@pytest.mark.parametrize("whole", ARCHIVES)
def test_an_archive_that_is_cut_off_anywhere_is_refused(whole: bytes) -> None:
    assert not any(passes(whole[:length]) for length in range(len(whole)))


@pytest.mark.parametrize("whole", ARCHIVES)
@pytest.mark.parametrize("more", [b"x", b"PK\5\6" + bytes(18)])
def test_bytes_before_after_and_between_are_refused(whole: bytes, more: bytes) -> None:
    assert not any(passes(whole[:at] + more + whole[at:]) for at in range(len(whole) + 1))


@given(
    st.sampled_from(ARCHIVES),
    st.lists(
        st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=4)), min_size=1, max_size=3
    ),
)
def test_what_passes_is_the_same_to_every_reader(
    whole: bytes, changes: list[tuple[int, bytes]]
) -> None:
    data = bytearray(whole)
    for at, piece in changes:
        place = at % len(data)
        data[place : place + len(piece)] = piece
    changed = bytes(data[: len(whole)])
    if passes(changed):
        found = reading(by_python, changed)
        assert found == reading(by_its_own_word, changed)
        assert found == reading(from_the_front, changed)


def local(name: bytes, data: bytes) -> bytes:
    head = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, zlib.crc32(data), *(len(data),) * 2, len(name), 0
    )
    return head + name + data


def central(name: bytes, data: bytes, offset: int, comment: bytes = b"") -> bytes:
    sizes = (zlib.crc32(data), len(data), len(data), len(name), 0, len(comment))
    head = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, *sizes, 0, 0, 0, offset)
    return head + name + comment


def ended(members: bytes, *directories: bytes, told: int) -> bytes:
    n = directories[-1].count(b"PK\1\2")
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, n, n, len(directories[-1]), told, 0)
    return members + b"".join(directories) + end


ONE, TWO = local(b"n", b"shown"), local(b"n", b"other")
AMBIGUOUS = {
    "two directories": ended(
        ONE + TWO,
        central(b"n", b"other", len(ONE)),
        central(b"n", b"shown", 0),
        told=len(ONE + TWO),
    ),
    "a member that no directory lists": ended(
        ONE + TWO, central(b"n", b"other", len(ONE)), told=len(ONE + TWO)
    ),
    "one name twice": ended(
        ONE + TWO,
        central(b"n", b"shown", 0) + central(b"n", b"other", len(ONE)),
        told=len(ONE + TWO),
    ),
    "one member twice": ended(
        ONE, central(b"n", b"shown", 0) + central(b"m", b"shown", 0), told=len(ONE)
    ),
    "another name in the header": ended(ONE, central(b"m", b"shown", 0), told=len(ONE)),
    "another content in the header": ended(ONE, central(b"n", b"other", 0), told=len(ONE)),
    "another size in the header": ended(ONE, central(b"n", b"show", 0), told=len(ONE)),
    "a second end record in the comment": ended(ONE, central(b"n", b"shown", 0), told=len(ONE))[:-2]
    + b"\x16\0PK\5\6"
    + bytes(18),
}


PACKED = archive(zipfile.ZIP_DEFLATED)
EMPTY = PACKED.index(b"\x03\0PK\3\4")  # the stream of the empty member
END_OF_ALL = PACKED.index(b"PK\1\2") - 1
BOTH = (0, PACKED.index(b"PK\1\2") + 2)  # the first member's header, and its entry
UNKNOWN = {
    "encryption": {at + 6: b"\x01" for at in BOTH},
    "strong encryption": {at + 6: b"\x40" for at in BOTH},
    "another compression": {at + 8: b"\x0c" for at in BOTH},
    "a later version": {BOTH[1] + 4: b"\x3f"},
    "a later version in the header": {4: b"\x3f"},
    "a name in an encoding not told": dict.fromkeys((30, BOTH[1] + 44), b"\xe4"),
    "a name of invalid UTF-8": {30: b"\xe4", BOTH[1] + 44: b"\xe4"}
    | {at + 7: b"\x08" for at in BOTH},
    "a name with a NUL": dict.fromkeys((30, BOTH[1] + 44), b"\x00"),
    "an empty member that unpacks to something": {EMPTY: b"\x4b\4"},
    "an empty member without end": {EMPTY: b"\x02"},
    "a member without end": {END_OF_ALL: b"\xff"},
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_some_readers_do_not_know_is_refused(case: str) -> None:
    assert passes(PACKED)
    changed = bytearray(PACKED)
    for at, piece in UNKNOWN[case].items():
        changed[at : at + len(piece)] = piece
    assert not passes(bytes(changed))


def test_a_stream_that_goes_on_after_the_told_size_is_refused() -> None:
    whole = zlib.compress(b"shown and more", wbits=-15)
    for size in (b"shown", b"shown and more"):
        told = (zlib.crc32(size), len(whole), len(size), 1, 0)
        members = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, *told) + b"n" + whole
        entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, *told, 0, 0, 0, 0, 0)
        data = ended(members, entry + b"n", told=len(members))
        assert by_python(data) == {"n": size}
        assert passes(data) == (size == b"shown and more")


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_an_archive_of_two_readings_is_refused(case: str) -> None:
    assert passes(ended(ONE, central(b"n", b"shown", 0), told=len(ONE)))
    assert not passes(AMBIGUOUS[case])


def test_of_more_members_than_can_be_looked_at_none_is() -> None:
    assert passes(PACKED)
    with pytest.raises(AmbiguousZipError, match="3 members; at most 2"):
        require_one_reading(io.BytesIO(PACKED), most_members=len(MEMBERS) - 1)


def test_a_directory_is_read_as_far_as_it_is_told() -> None:
    changed = bytearray(PACKED)
    changed[-14:-10] = struct.pack("<2H", 1, 1)
    with pytest.raises(AmbiguousZipError, match="lists more members, not 1"):
        require_one_reading(io.BytesIO(bytes(changed)))


def test_where_more_members_are_expected_they_are_read() -> None:
    """More than 65535 have an end record of their own."""
    buffer, n_members = io.BytesIO(), 65_600
    with zipfile.ZipFile(buffer, "w") as target:
        for number in range(n_members):
            target.writestr(f"{number}", b"")
    with pytest.raises(AmbiguousZipError, match=f"{n_members} members; at most"):
        require_one_reading(buffer)
    require_one_reading(buffer, most_members=n_members)
    with pytest.raises(AmbiguousZipError, match=r"its directory has \d+ bytes; at most 1000 are"):
        require_one_reading(buffer, most_members=n_members, most_bytes=1000)

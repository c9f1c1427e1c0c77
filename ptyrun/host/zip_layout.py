"""Can a zip archive be read in one way only?

Readers of zip archives differ in which of two directories they believe, and in whether they take
a member's name and size from the directory or from the header before its bytes. What one has
checked is then not what another one unpacks. An archive passes here only where there is nothing to
differ about: members lie one after the other from the first byte to the directory, each header
says what the directory says, the one end record ends the file, and nothing is used that a reader
may not know. The bytes of members are looked at where that is quick; see `MAX_INFLATED_BYTES`.

Layout: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 (records), 4.4 (fields) and 4.5.3 (sizes of 64
bits).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
LOCATOR_64 = struct.Struct("<4sIQI")
END_64 = struct.Struct("<4sQ2H2I4Q")
DESCRIPTOR = b"PK\7\10"
MAX_DIRECTORY_BYTES = 64 << 20
MAX_MEMBERS = 1 << 15  # each is looked at: of a million, for minutes
SIZES_FOLLOW = 0x8  # among the flags: checksum and sizes come after the bytes
UTF_8 = 0x800  # among the flags: how the name is encoded
HOW_HARD = 0x6  # among the flags: what the compressor tried; no reader looks at it
KNOWN_FLAGS = SIZES_FOLLOW | UTF_8 | HOW_HARD
STORED, DEFLATED = 0, 8
MAX_VERSION = 45  # that a reader must know: 64-bit sizes; above are other compressions, encryption

# Some readers stop at the told size, others only at the end of a deflate stream, which unpacking
# alone can find. All members of an archive up to this are unpacked in a fraction of a second; a
# larger one is opened too often for that, and whoever reads it compares sizes and checksums.
MAX_INFLATED_BYTES = 64 << 20
PIECE_BYTES = 1 << 20
SIZES_64, OTHER_NAME = 0x0001, 0x7075  # kinds of extra fields
FULL_16, FULL_32 = 0xFFFF, 0xFFFFFFFF


class AmbiguousZipError(ValueError):
    """The archive is damaged, or can be read in more than one way."""


@dataclass(frozen=True, slots=True)
class _Member:
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def require_one_reading(
    file: IO[bytes], *, most_members: int = MAX_MEMBERS, most_bytes: int = MAX_DIRECTORY_BYTES
) -> None:
    """See that the archive open as *file* means the same to every reader.

    Parameters
    ----------
    file : binary file
    most_members, most_bytes : int
        A directory of more is refused before it is read.

    Raises
    ------
    AmbiguousZipError
        Saying why it does not.
    """
    start, members = _directory(file, most_members, most_bytes)
    deflated = {member for member in members if member.method == DEFLATED}
    looks_inside = sum(member.size for member in deflated) <= MAX_INFLATED_BYTES
    at, names = 0, set()
    for member in sorted(members, key=lambda each: each.offset):
        if member.name in names:
            raise AmbiguousZipError(f"the name {_text(member)} occurs twice")
        names.add(member.name)
        if member.offset != at:
            there = "is a gap before" if member.offset > at else "are bytes shared with another by"
            raise AmbiguousZipError(f"there {there} {_text(member)}")
        begin = _begin_of(file, member)
        if looks_inside and member in deflated:
            _require_exact_stream(file, begin, member)
        at = _end_of(file, begin + member.packed, member)
    if at != start:
        raise AmbiguousZipError("the members do not end where the directory begins")


def member_names(file: IO[bytes]) -> list[str]:
    """Give the names in the directory of the archive open as *file*; nothing else is looked at.

    Raises
    ------
    AmbiguousZipError
        If it is not an archive, or its directory is damaged.
    """
    _, members = _directory(file, MAX_MEMBERS, MAX_DIRECTORY_BYTES)
    return [member.name.decode("utf-8", "replace") for member in members]


def _directory(file: IO[bytes], most_members: int, most_bytes: int) -> tuple[int, list[_Member]]:
    """Where the directory begins, and what it lists."""
    end = file.seek(0, 2) - END.size
    signature, disk, first_disk, here, n_members, size, start, comment = _unpacked(END, file, end)
    if signature != b"PK\5\6" or comment:
        file.seek(0)
        if file.read(2) != b"PK":
            raise AmbiguousZipError("it is not a zip archive")
        raise AmbiguousZipError("it is cut off, or something follows the archive's last record")
    if (disk, first_disk, here) != (0, 0, n_members):
        raise AmbiguousZipError("it is one of several parts")
    told = (n_members, size, start)
    at = end - LOCATOR_64.size
    if at >= 0 and _read(file, at, 4) == b"PK\6\7":
        end = at - END_64.size
        told = _end_64(file, at, told)
    elif n_members == FULL_16 or FULL_32 in (size, start):
        raise AmbiguousZipError("its end record says that another one follows, and it is missing")
    n_members, size, start = told
    if start + size != end:
        raise AmbiguousZipError("its directory does not lie right before the end record")
    if size > most_bytes:
        raise AmbiguousZipError(f"its directory has {size} bytes; at most {most_bytes} are read")
    if n_members > most_members:
        raise AmbiguousZipError(f"it has {n_members} members; at most {most_members} are read")
    members = [*islice(_entries(_read(file, start, size)), n_members + 1)]
    if len(members) != n_members:
        more = "more" if len(members) > n_members else f"{len(members)}"
        raise AmbiguousZipError(f"its directory lists {more} members, not {n_members}")
    return start, members


def _end_64(file: IO[bytes], at: int, told: tuple[int, int, int]) -> tuple[int, int, int]:
    """Number of members, size and start of the directory as the 64-bit end record has them."""
    _, disk, offset, n_disks = _unpacked(LOCATOR_64, file, at)
    record = _unpacked(END_64, file, at - END_64.size)
    signature, length, _, _, own, first, here, n_members, size, start = record
    if signature != b"PK\6\6" or (length, offset) != (END_64.size - 12, at - END_64.size):
        raise AmbiguousZipError("its 64-bit end record is not where it should be")
    if (disk, own, first, here) != (0, 0, 0, n_members) or n_disks > 1:
        raise AmbiguousZipError("it is one of several parts")
    found = (n_members, size, start)
    for short, long, full in zip(told, found, (FULL_16, FULL_32, FULL_32), strict=True):
        if short not in (long, full):
            raise AmbiguousZipError("its two end records differ")
    return found


def _entries(directory: bytes) -> Iterator[_Member]:
    at = 0
    while at < len(directory):
        if at + CENTRAL.size > len(directory):
            raise AmbiguousZipError("its directory is cut off")
        fields = CENTRAL.unpack_from(directory, at)
        signature, _, version, flags, method, _, _, crc, packed, size, *lengths = fields[:13]
        disk, _, _, offset = fields[13:]
        at += CENTRAL.size
        if signature != b"PK\1\2" or at + sum(lengths) > len(directory) or disk:
            raise AmbiguousZipError("its directory is damaged")
        name, extra = (directory[at : (at := at + length)] for length in lengths[:2])
        at += lengths[2]
        size, packed, offset = _long(extra, (size, packed, offset))
        member = _Member(name, flags, method, crc, packed, size, offset)
        if fault := _unknown(member, version):
            raise AmbiguousZipError(f"{_text(member)} {fault}")
        yield member


def _unknown(member: _Member, version: int) -> str | None:
    """Say what of a member's entry some readers do not know, or take in another way."""
    if member.flags & ~KNOWN_FLAGS:
        return f"has flags 0x{member.flags:x}; of these only 0x{KNOWN_FLAGS:x} are accepted"
    if member.method not in (STORED, DEFLATED):
        return f"is compressed by method {member.method}; it may be stored (0) or deflated (8)"
    if version > MAX_VERSION:
        return f"needs a reader of version {version}; at most {MAX_VERSION} is accepted"
    if member.method == STORED and member.packed != member.size:
        return f"is stored in {member.packed} bytes, but its size is said to be {member.size}"
    try:
        name = member.name.decode("utf-8" if member.flags & UTF_8 else "ascii")
    except UnicodeDecodeError:
        return "has a name that is not in the encoding which its flags name"
    return "has a NUL in its name" if "\0" in name else None


def _begin_of(file: IO[bytes], member: _Member) -> int:
    """Where the member's bytes begin; its header must say what the directory says."""
    fields = _unpacked(LOCAL, file, member.offset)
    signature, version, flags, method, _, _, crc, packed, size, *lengths = fields
    at = member.offset + LOCAL.size
    name, extra = (_read(file, at, lengths[0]), _read(file, at + lengths[0], lengths[1]))
    size, packed = _long(extra, (size, packed))
    found = (signature, flags, method, name)
    follows = bool(flags & SIZES_FOLLOW)
    if found != (b"PK\3\4", member.flags, member.method, member.name) or version > MAX_VERSION:
        raise AmbiguousZipError(f"the header of {_text(member)} differs from the directory")
    wanted = (member.crc, member.packed, member.size)
    if (crc, packed, size) != wanted and not (follows and {crc, packed, size} <= {0, *wanted}):
        raise AmbiguousZipError(f"the header of {_text(member)} differs from the directory")
    return at + len(name) + len(extra)


def _require_exact_stream(file: IO[bytes], at: int, member: _Member) -> None:
    """See that a deflated member ends with its packed bytes, and unpacks to the told size."""
    stream, left, size = zlib.decompressobj(-zlib.MAX_WBITS), member.packed, 0
    try:
        while left and size <= member.size:
            packed = _read(file, at + member.packed - left, min(left, PIECE_BYTES))
            left -= len(packed)
            size += len(stream.decompress(packed, member.size - size + 1))
    except zlib.error as error:
        raise AmbiguousZipError(f"{_text(member)} is damaged: {error}") from error
    if left or size != member.size or not stream.eof or stream.unused_data:
        raise AmbiguousZipError(
            f"{_text(member)} is damaged: it does not unpack to exactly {member.size} bytes"
        )


def _end_of(file: IO[bytes], at: int, member: _Member) -> int:
    """Where the next member begins, given where the bytes of this one end."""
    if not member.flags & SIZES_FOLLOW:
        return at
    wanted = (member.crc, member.packed, member.size)
    found = _read(file, at, 24, short=True)
    for layout in ("<4sIQQ", "<4sIII"):
        if max(wanted) <= FULL_32 or "Q" in layout:
            record = struct.pack(layout, DESCRIPTOR, *wanted)
            if found.startswith(record):
                return at + len(record)
    raise AmbiguousZipError(f"what follows {_text(member)} is not its checksum and sizes")


def _long(extra: bytes, fields: tuple[int, ...]) -> tuple[int, ...]:
    """Replace 32-bit fields that are full by the 64-bit ones of the extra field."""
    longer = b""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        at += 4 + length
        if kind == OTHER_NAME or (kind == SIZES_64 and longer) or at > len(extra):
            raise AmbiguousZipError("an extra field is damaged, or gives a second name or size")
        if kind == SIZES_64:
            longer = extra[at - length : at]
    values = [value for (value,) in struct.iter_unpack("<Q", longer[: len(longer) // 8 * 8])]
    full = [field == FULL_32 for field in fields]
    if len(values) < sum(full) or (not any(full) and not {*values} <= {0, *fields}):
        raise AmbiguousZipError("the 64-bit size of a member is missing, or a second one")
    given = iter(values)
    return tuple(next(given) if field == FULL_32 else field for field in fields)


def _unpacked(layout: struct.Struct, file: IO[bytes], at: int) -> tuple[Any, ...]:
    return layout.unpack(_read(file, at, layout.size))


def _read(file: IO[bytes], at: int, n_bytes: int, *, short: bool = False) -> bytes:
    if at < 0:
        raise AmbiguousZipError("it is too short for an archive")
    file.seek(at)
    data = file.read(n_bytes)
    if len(data) < n_bytes and not short:
        raise AmbiguousZipError("it is cut off")
    return data


def _text(member: _Member) -> str:
    return repr(member.name.decode(errors="replace"))

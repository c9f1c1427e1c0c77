"""How is a deflated member of an archive unpacked in parts that later processes need not repeat?"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

from ptyrun.host.inflating import Entry, inflated, library

PART_BYTES = 64 << 20


def can_go_on(member: zipfile.ZipInfo) -> bool:
    """Whether a member is packed in a way that can be entered behind its first byte."""
    return member.compress_type == zipfile.ZIP_DEFLATED and library() is not None


def unpacked(
    path: Path, member: zipfile.ZipInfo, start: int, mark: str, tail: bytes
) -> Iterator[tuple[bytes, str]]:
    """Give what a member unpacks to, and marks to go on from; its CRC is checked at its end.

    Parameters
    ----------
    path : Path
        The archive.
    member : zipfile.ZipInfo
        See `can_go_on`.
    start : int
        Where its packed bytes begin in the archive.
    mark : str
        Where to go on; empty at its beginning.
    tail : bytes
        The last 32 KiB, or all, of what was unpacked up to there.

    Yields
    ------
    (bytes, str)
        A piece, and a mark behind it; empty where there is none.

    Raises
    ------
    OSError
        If the archive cannot be read.
    zlib.error
        If the member is damaged.
    """
    *numbers, crc = json.loads(mark) if mark else (0, 0, 0, 0)
    given = int(numbers[1])
    with path.open("rb") as file:
        for piece, entry in inflated(
            file, start, member.compress_size, Entry(*numbers), tail, PART_BYTES
        ):
            given, crc = given + len(piece), zlib.crc32(piece, crc)
            if given > member.file_size:
                raise zlib.error(f"it unpacks to more than {member.file_size} bytes")
            yield piece, json.dumps([*astuple(entry), crc]) if entry else ""
    if (given, crc) != (member.file_size, member.CRC):
        raise zlib.error(f"Bad CRC-32 for file {member.filename!r}")

"""Is a file whole, as far as its own format tells? Archives, HDF5 and JSON; nothing is loaded."""

from __future__ import annotations

import zipfile
import zlib
from typing import IO

from ptyrun.errors import PtyrunError
from ptyrun.ptycho.readers.npz import BOMB_BYTES, BOMB_RATIO
from ptyrun.study.files import HubFiles

END, END_BYTES = b"PK\5\6", 22
ZIP, HDF5 = b"PK\3\4", b"\x89HDF\r\n\x1a\n"
PIECE_BYTES = 4 << 20

# As when scans are read; and what unpacks in minutes, however many members it is.
MAX_INFLATED_BYTES = 64 << 30


def damage(files: HubFiles, name: str) -> str:
    """Say what of a file is damaged or cut off; empty if its format tells of nothing."""
    try:
        with files.open(name) as stream:
            head = stream.read(64)
            size = stream.seek(0, 2)
            stream.seek(0)
            if not head:
                return "is empty"
            if head.startswith(ZIP) or (
                ZIP.startswith(head[:4]) and name.endswith((".npz", ".zip"))
            ):
                return _zip_damage(stream)
            if head.startswith(HDF5):
                return _hdf5_damage(head, size)
        if name.endswith(".json"):
            files.json(name)
    except PtyrunError as error:
        return f"cannot be read: {error.why}"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return ""


def _zip_damage(stream: IO[bytes]) -> str:
    """Compare every member with its checksum."""
    try:
        with zipfile.ZipFile(stream) as archive:
            packed = [m for m in archive.infolist() if m.compress_type != zipfile.ZIP_STORED]
            if sum(member.file_size for member in packed) > MAX_INFLATED_BYTES:
                return f"would unpack to more than {MAX_INFLATED_BYTES} bytes"
            for member in archive.infolist():
                if member.file_size > max(BOMB_BYTES, BOMB_RATIO * member.compress_size):
                    return f"has an invalid member: {member.filename!r:.80}"
                with archive.open(member) as inside:
                    while inside.read(PIECE_BYTES):
                        pass
            stream.seek(-END_BYTES - len(archive.comment), 2)
            if stream.read(len(END)) != END:
                return "is followed by bytes that do not belong to the archive"
    except (OSError, ValueError, EOFError, RuntimeError) as error:
        return f"is damaged: {error}"
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        return f"is damaged: {error}"
    return ""


def _hdf5_damage(head: bytes, size: int) -> str:
    """Compare the size with the end of file that the superblock names.

    Source: HDF5 File Format Specification 3.0, section II.A.
    """
    version = head[8]
    at, width = (40, head[13]) if version < 2 else (28, head[9])
    if version > 3 or width != 8:
        return ""
    end = int.from_bytes(head[at + 4 * (version == 1) :][:8], "little")
    return f"is cut off: it has {size} of {end} bytes" if size < end else ""

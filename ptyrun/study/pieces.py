"""What did earlier windows finish of a stage, and is it whole?"""

from __future__ import annotations

from pathlib import Path

import google_crc32c

from ptyrun.errors import ForeignFileError
from ptyrun.host import durable, listing, partials
from ptyrun.host.regular import read_regular

CRC_BYTES = 4


def names_of(folder: Path) -> frozenset[str]:
    """Name what is kept whole in a folder of pieces: progress adds a name."""
    names = (entry.name for entry in listing.entries(folder))
    return frozenset(name for name in names if not name.endswith(partials.PARTIAL))


class KeptPieces:
    """Pieces of one stage, each a file with its CRC at its end; they may be deleted at any time.

    Parameters
    ----------
    folder : Path
        Named after all that the pieces depend on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str, n_bytes: int) -> bytes | None:
        """Read a piece of that length; None if there is none that is whole."""
        try:
            data = read_regular(self.folder / name, n_bytes + CRC_BYTES)
        except (OSError, ForeignFileError):
            return None
        piece, crc = data[:-CRC_BYTES], data[-CRC_BYTES:]
        is_whole = len(piece) == n_bytes and crc == _crc(piece)
        return piece if is_whole else None

    def keep(self, name: str, piece: bytes) -> None:
        """Write a piece, on disk for good."""
        durable.make_folder(self.folder)
        durable.write_atomic(self.folder / name, piece + _crc(piece))


def _crc(piece: bytes) -> bytes:
    return int(google_crc32c.value(piece)).to_bytes(CRC_BYTES, "little")

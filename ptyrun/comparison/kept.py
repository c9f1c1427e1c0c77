"""What did earlier windows finish of a long step, and can it be believed?

Each step has one file in ``cache/steps/``, named after the step, a digest of all that it depends
on, and the CRC of its bytes. None of it is needed: what is missing, damaged, of something else or
written by somebody else is made again.
"""

from __future__ import annotations

import json
import secrets
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ptyrun.errors import GoneError, StorageError
from ptyrun.host import durable, listing
from ptyrun.host.checksums import file_crc32c
from ptyrun.host.remembered import Remembered, identity

_ABOUT = "about"
T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """What a step found: plain JSON facts, and arrays by name."""

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


class Kept:
    """A folder of findings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = Remembered("kept")

    def load(self, step: str, key: str) -> Finding | None:
        """What *step* found from what *key* stands for; None if that is not known."""
        for path in self._files(f"{step}.{key[:16]}"):
            with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                if not self._own.holds(_fact(path)) or not _is_whole(path):
                    continue
                with np.load(path, allow_pickle=False) as archive:
                    arrays = {name: archive[name] for name in archive.files}
                about = json.loads(str(arrays.pop(_ABOUT)))
                if about["key"] == key:
                    return Finding(about["facts"], arrays)
        return None

    def restored(self, step: str, key: str, restore: Callable[[Finding], T]) -> T | None:
        """What *restore* makes of what *step* found; None if that is not known or of use."""
        found = self.load(step, key)
        if found is not None:
            with suppress(KeyError, TypeError, ValueError):
                return restore(found)
        return None

    def save(self, step: str, key: str, finding: Finding) -> bool:
        """Keep what *step* found, in place of what was there; tell whether that will count."""
        partial = self.folder / f"{step}.{secrets.token_hex(4)}{durable.PARTIAL}"
        about = np.array(json.dumps({"key": key, "facts": finding.facts}))
        old = self._files(step)
        with suppress(OSError, StorageError):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                with zipfile.ZipFile(partial, "x") as archive:
                    for name, array in {_ABOUT: about, **finding.arrays}.items():
                        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                            _write(member, np.asarray(array, order="C"))
                final = self.folder / f"{step}.{key[:16]}.{file_crc32c(partial):08x}.npz"
                durable.publish(partial, final)
            finally:
                partial.unlink(missing_ok=True)
            for path in old:
                if path != final:
                    path.unlink(missing_ok=True)
            self._own.add(_fact(final))
            return self._own.holds(_fact(final))
        return False

    def forget(self, step: str) -> None:
        """Drop what *step* found."""
        for path in self._files(step):
            with suppress(OSError):
                path.unlink()

    def sweep(self) -> None:
        """Drop what ended processes left half written; nobody else may be writing."""
        with suppress(OSError, StorageError):
            for path in listing.matching(self.folder, f"*{durable.PARTIAL}"):
                path.unlink()

    def damaged(self) -> list[Path]:
        """Name the files whose bytes do not match the CRC in their names; they may go meanwhile."""
        found = []
        for path in listing.matching(self.folder, "*.npz"):
            with suppress(GoneError), durable.storage_errors(path, "read"):
                if not _is_whole(path):
                    found.append(path)
        return found

    def _files(self, step: str) -> list[Path]:
        with suppress(StorageError):
            return listing.matching(self.folder, f"{step}.*.npz")
        return []


def _fact(path: Path) -> str:
    return f"{path.name} {identity(path.lstat())}"


def _write(member: IO[bytes], array: NDArray[Any]) -> None:
    """Write an array as it lies: NumPy's own ``savez`` copies up to 16 MiB of it first."""
    npy.write_array_header_1_0(member, npy.header_data_from_array_1_0(array))
    member.write(array.reshape(-1).view(np.uint8).data)


def _is_whole(path: Path) -> bool:
    return path.stem.endswith(f".{file_crc32c(path):08x}")

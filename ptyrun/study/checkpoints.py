"""What did earlier windows compute of a stage? Its latest state, as plain arrays."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.host import durable, listing
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.study.npz_writer import write_npz

_PREFIX, _SUFFIX = "state-", ".npz"


class Checkpoints:
    """States of one stage, each a file with checksums; they may be deleted at any time.

    Parameters
    ----------
    folder : Path
        Named after all that the states depend on.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last = 0

    def latest(self) -> dict[str, NDArray[Any]] | None:
        """Read the latest state that is whole; None if there is none."""
        for path in reversed(self._paths()):
            self._last = max(self._last, _number(path))
            with suppress(InputError):
                file = NpzFile(path)
                return {name: file.array(name) for name in file.names}
        return None

    def keep(self, state: dict[str, NDArray[Any]]) -> None:
        """Write a state, on disk for good; earlier ones go, but for the one before."""
        durable.make_folder(self._folder)
        self._last += 1
        write_npz(self._folder / f"{_PREFIX}{self._last:09d}{_SUFFIX}", state)
        for path in self._paths()[:-2]:
            with suppress(OSError):
                path.unlink()

    def _paths(self) -> list[Path]:
        found = listing.matching(self._folder, f"{_PREFIX}*{_SUFFIX}")
        return [path for path in found if path.stem.removeprefix(_PREFIX).isdecimal()]


def _number(path: Path) -> int:
    return int(path.stem.removeprefix(_PREFIX))

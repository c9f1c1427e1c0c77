"""Which frame belongs to which position, where each file counts its own?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError

# Of the positions, what have a frame at least where detectors drop some.
LEAST_COMMON = 0.5


@dataclass(frozen=True)
class Pairs:
    """Rows of positions and of frames that belong together, both (k,)."""

    positions: NDArray[np.int64]
    frames: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Numbered:
    """What a file counts: how many there are, and their indexes where it has some."""

    path: Path
    count: int
    indexes: NDArray[Any] | None

    @property
    def why_not(self) -> str:
        """Say why the indexes number nothing; empty if each stands once."""
        found = self.indexes
        if found is None:
            return f"{self.path.name} has no indexes"
        if found.shape != (self.count,) or found.dtype.kind not in "fiu":
            return f"{self.path.name} has {self.count}, with indexes of shape {found.shape}"
        if not numbers_each_once(found):
            return (
                f"{self.path.name} has {len(np.unique(found))} different indexes for {self.count}"
            )
        return ""


def matched(positions: Numbered, frames: Numbered) -> Pairs:
    """Match by index where both files count each once, else in order where they are as many.

    Raises
    ------
    InputError
        If they can be matched neither way.
    """
    said = positions.why_not or frames.why_not
    wanted, have = positions.indexes, frames.indexes
    if said or wanted is None or have is None:
        if positions.count != frames.count:
            raise foreign(
                positions.path,
                frames.path,
                f"{said}; {positions.count} positions, {frames.count} frames",
            )
        in_order = np.arange(positions.count)
        note = f"{said}: frames and positions are taken in their order"
        return Pairs(in_order, in_order, (note,))
    rows, places = by_index(wanted, have)
    lone, spare = positions.count - len(rows), frames.count - len(rows)
    if len(rows) < LEAST_COMMON * positions.count:
        raise foreign(
            positions.path,
            frames.path,
            f"{lone} of {positions.count} positions have no frame of their index",
        )
    doubts: tuple[str, ...] = ()
    if lone:
        doubts = (
            f"{lone} of {positions.count} positions have no frame of their index and are left "
            f"out; {spare} frames have no position",
        )
    return Pairs(rows, places, (), doubts)


def numbers_each_once(indexes: NDArray[Any]) -> bool:
    """Whether indexes (n,) are whole numbers of which none repeats; others count something else."""
    is_whole = np.array_equal(indexes, np.rint(indexes))
    return is_whole and len(np.unique(indexes)) == len(indexes)


def by_index(
    wanted: NDArray[Any], have: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give where both hold the same index, (k,) rows of each, in the order of *wanted*."""
    _, rows, places = np.intersect1d(wanted, have, return_indices=True)
    order = np.argsort(rows)
    return rows[order].astype(np.int64), places[order].astype(np.int64)


def foreign(positions: Path, frames: Path, why: str) -> InputError:
    """Refuse frames that are those of other positions."""
    return InputError(
        f"the frames of {frames} do not belong to {positions}",
        why=why,
        do="give product and diffraction of one scan",
    )

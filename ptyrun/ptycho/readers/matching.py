"""Which frame belongs to which position, where each file counts its own?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

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
    """What a file counts: how many there are, and their indexes where it has some.

    ``unread`` says why those that it has could not be read.
    """

    path: Path
    count: int
    indexes: NDArray[Any] | None
    unread: str = ""

    @classmethod
    def of(cls, path: Path, count: int, read: Callable[[], NDArray[Any]] | None) -> Self:
        """Read its indexes, if it has some; they may be anything."""
        try:
            return cls(path, count, None if read is None else read())
        except InputError as error:
            return cls(path, count, None, error.why)

    @property
    def why_not(self) -> str:
        """Say why the indexes number nothing; empty if each stands once."""
        found = self.indexes
        said = f"the indexes of {self.path.name} are not indexes of frames"
        if self.unread:
            return f"{said}: {self.unread}"
        if found is None:
            return f"{self.path.name} has no indexes"
        if found.shape != (self.count,) or found.dtype.kind not in "fiu":
            return f"{said}: {found.dtype} of shape {found.shape} for {self.count}"
        if not _numbers_each_once(found):
            return f"{said}: {len(np.unique(found))} different numbers for {self.count}"
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
        note = f"{said}; frames and positions are taken in their order, one to one"
        # Without indexes there is no other way; with some, what they count is not known.
        is_plain = any(each.indexes is None and not each.unread for each in (positions, frames))
        return (
            Pairs(in_order, in_order, (note,))
            if is_plain
            else Pairs(in_order, in_order, doubts=(note,))
        )
    rows, places = _by_index(wanted, have)
    lone, spare = positions.count - len(rows), frames.count - len(rows)
    if len(rows) < LEAST_COMMON * positions.count:
        raise foreign(
            positions.path,
            frames.path,
            f"{lone} of {positions.count} positions have no frame of their index: positions have "
            f"{wanted.min():g} to {wanted.max():g}, frames {have.min():g} to {have.max():g}",
        )
    if not lone:
        return Pairs(rows, places)
    return Pairs(rows, places, doubts=(_unmatched(wanted, have, lone, spare),))


def _unmatched(wanted: NDArray[Any], have: NDArray[Any], lone: int, spare: int) -> str:
    """Say what is left over when frames and positions are matched by their indexes."""
    first = [f"{index:g}" for index in np.setdiff1d(wanted, have)[:3]]
    is_shifted = lone == spare == abs(float(wanted.min()) - float(have.min()))
    return (
        f"{lone} of {len(wanted)} positions have no frame of their index ({', '.join(first)}"
        f"{', ...' if lone > 3 else ''}) and are left out; {spare} frames have no position"
        + ("; do the two files count from different numbers?" if is_shifted else "")
    )


def _numbers_each_once(indexes: NDArray[Any]) -> bool:
    """Whether indexes (n,) are whole numbers of which none repeats; others count something else."""
    is_whole = np.array_equal(indexes, np.rint(indexes))
    return is_whole and len(np.unique(indexes)) == len(indexes)


def _by_index(
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

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
        different = len(np.unique(found))
        if different < self.count or not np.array_equal(found, np.rint(found)):
            return f"{self.path.name} has {different} different indexes for {self.count}"
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
            raise _foreign(
                positions, frames, f"{said}; {positions.count} positions, {frames.count} frames"
            )
        in_order = np.arange(positions.count)
        note = f"{said}: frames and positions are taken in their order"
        return Pairs(in_order, in_order, (note,))
    common, rows, places = np.intersect1d(wanted, have, return_indices=True)
    lone, spare = positions.count - len(common), frames.count - len(common)
    if len(common) < LEAST_COMMON * positions.count:
        raise _foreign(
            positions, frames, f"{lone} of {positions.count} positions have no frame of their index"
        )
    order = np.argsort(rows)
    doubts: tuple[str, ...] = ()
    if lone:
        doubts = (
            f"{lone} of {positions.count} positions have no frame of their index and are left "
            f"out; {spare} frames have no position",
        )
    return Pairs(rows[order].astype(np.int64), places[order].astype(np.int64), (), doubts)


def _foreign(positions: Numbered, frames: Numbered, why: str) -> InputError:
    return InputError(
        f"the frames of {frames.path} do not belong to {positions.path}",
        why=why,
        do="give product and diffraction of one scan",
    )

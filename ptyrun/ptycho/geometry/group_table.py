"""Which frames make which group? A table of which rows are asked for, so that it may be small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class GroupTable(Protocol):
    """Frames (G, C) of groups, of which rows are asked for; an array is one, too."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(G, C)."""

    def __len__(self) -> int:
        """Number of groups."""

    def __getitem__(self, part: slice, /) -> NDArray[np.integer[Any]]:
        """Some rows, one after the other."""


@dataclass(frozen=True)
class EveryFrame:
    """Every frame of a scan as a group of its own: a table that takes no memory.

    Attributes
    ----------
    n_frames : int
        Of the scan.
    """

    n_frames: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Groups, and one frame each."""
        return (self.n_frames, 1)

    def __len__(self) -> int:
        return self.n_frames

    def __getitem__(self, part: slice, /) -> NDArray[np.integer[Any]]:
        dtype = frame_dtype(self.n_frames)
        return np.arange(*part.indices(self.n_frames), dtype=dtype)[:, None]


def frame_dtype(n_frames: int) -> np.dtype[np.integer[Any]]:
    """Give the type in which numbers of so many frames are held: half the memory, mostly.

    Parameters
    ----------
    n_frames : int
        Of the scan.

    Returns
    -------
    numpy.dtype
        Of 32 bits, or 64.
    """
    return np.dtype(np.int64 if n_frames > np.iinfo(np.int32).max else np.int32)

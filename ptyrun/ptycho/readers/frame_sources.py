"""How are frames read that do not lie in one array (n, N, N)?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.readers.hdf5 import Hdf5File
from ptyrun.ptycho.readers.scan import FrameSource


@dataclass(frozen=True)
class StackedFrames:
    """Frames of several sources, one after the other; ``ends`` (k,) are their running numbers."""

    sources: tuple[FrameSource, ...]
    ends: NDArray[np.int64]

    def check(self) -> None:
        """Check each."""
        for source in self.sources:
            source.check()

    def read(self, frames: NDArray[np.int64]) -> NDArray[Any]:
        """Frames as stored, shape (k, N, N)."""
        owner = np.searchsorted(self.ends, frames, side="right")
        begins = np.concatenate([[0], self.ends[:-1]])
        found = None
        for number in np.unique(owner):
            rows = np.flatnonzero(owner == number)
            part = self.sources[number].read(frames[rows] - begins[number])
            if found is None:
                found = np.empty((len(frames), *part.shape[1:]), part.dtype)
            found[rows] = part
        return self.sources[0].read(frames) if found is None else found


@dataclass(frozen=True)
class GridFrames:
    """Frames of one dataset (rows, columns, N, N), counted row by row."""

    file: Hdf5File
    dataset: h5py.Dataset

    def check(self) -> None:
        """Leave it to HDF5, which compares the checksums of what it reads where there are any."""

    def read(self, frames: NDArray[np.int64]) -> NDArray[Any]:
        """Frames as stored, shape (k, N, N)."""
        columns = self.dataset.shape[1]
        found = np.empty((len(frames), *self.dataset.shape[2:]), self.dataset.dtype)
        for place, frame in enumerate(frames):
            found[place] = self.file.read(self.dataset, divmod(int(frame), columns))
        return found


@dataclass(frozen=True)
class ChosenFrames:
    """Frames of another source; ``order`` (n,) says which."""

    source: FrameSource
    order: NDArray[np.int64]

    def check(self) -> None:
        """Check the source."""
        self.source.check()

    def read(self, frames: NDArray[np.int64]) -> NDArray[Any]:
        """Frames as stored, shape (k, N, N)."""
        return self.source.read(self.order[frames])


@dataclass(frozen=True)
class ShiftedFrames:
    """Frames whose zero frequency lies in the corner, given with it in the middle."""

    source: FrameSource

    def check(self) -> None:
        """Check the source."""
        self.source.check()

    def read(self, frames: NDArray[np.int64]) -> NDArray[Any]:
        """Frames (k, N, N), zero frequency at pixel N/2."""
        return np.fft.fftshift(self.source.read(frames), axes=(-2, -1))


def middle_share(frames: NDArray[Any]) -> float:
    """Share of the signal of frames (k, N, N) that lies in the middle half of both axes.

    About 1 where the zero frequency is in the middle, 0 where it is in the corner.
    """
    side = frames.shape[-1]
    total = float(np.sum(np.abs(frames), dtype=np.float64))
    middle = slice(side // 4, side - side // 4)
    inner = float(np.sum(np.abs(frames[:, middle, middle]), dtype=np.float64))
    return inner / total if total > 0 else 0.5

"""How does an algorithm read frames? A few at a time, where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.readers.scan import Scan

BLOCK_BYTES = 4 << 20


class Frames(Protocol):
    """Amplitudes (n, N, N) float32 that are asked for by their numbers, as an array's are.

    An array is one; of a file that is larger than the memory only what is asked for is read.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, N, N)."""
        ...

    def __len__(self) -> int:
        """Give n."""
        ...

    def __getitem__(self, numbers: NDArray[np.int64], /) -> NDArray[np.float32]:
        """Give frames (k, N, N) at *numbers* (k,), in their order, as an array of its own."""
        ...


@dataclass(frozen=True)
class FramesOfScan:
    """All frames of a scan, zero frequency at pixel N/2."""

    scan: Scan

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, N, N)."""
        return self.scan.n_frames, self.scan.patch_px, self.scan.patch_px

    def __len__(self) -> int:
        return self.scan.n_frames

    def __getitem__(self, numbers: NDArray[np.int64], /) -> NDArray[np.float32]:
        """Read frames (k, N, N) at *numbers* (k,)."""
        return self.scan.amplitudes(numbers)


def blocks(frames: Frames) -> Iterator[NDArray[np.float32]]:
    """Give all frames in order, a few at a time."""
    n, *shape = frames.shape
    step = max(1, BLOCK_BYTES // (4 * int(np.prod(shape))))
    for first in range(0, n, step):
        yield frames[np.arange(first, min(first + step, n))]


def energy(frames: Frames) -> float:
    """Sum of squares in double precision, one frame after the other."""
    rows = (frame.ravel() for block in blocks(frames) for frame in block)
    return sum(float(np.sum(np.square(row), dtype=np.float64)) for row in rows)

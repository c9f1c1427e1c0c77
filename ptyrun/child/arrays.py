"""Where in the memory that both processes see do a batch and its patches lie?"""

from __future__ import annotations

import mmap
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ALIGNED_BYTES = 4096  # as what the system gives for large arrays: kernels may look at it


@dataclass(frozen=True)
class Layout:
    """Places of one batch: diffraction, offsets, patches.

    Attributes
    ----------
    batch_items : int
        Groups B.
    patch_px, channels : int
        Side N of a pattern, and patterns C of a group.
    """

    batch_items: int
    patch_px: int
    channels: int

    @property
    def diffraction_shape(self) -> tuple[int, ...]:
        """(B, N, N, C) of float32."""
        return (self.batch_items, self.patch_px, self.patch_px, self.channels)

    @property
    def offsets_shape(self) -> tuple[int, ...]:
        """(B, 1, 2, C) of float32."""
        return (self.batch_items, 1, 2, self.channels)

    @property
    def patches_shape(self) -> tuple[int, ...]:
        """(B, N, N) of complex64."""
        return (self.batch_items, self.patch_px, self.patch_px)

    @property
    def n_bytes(self) -> int:
        """All of it."""
        return self._starts()[-1]

    def _starts(self) -> list[int]:
        starts = [0]
        for shape, item_bytes in (
            (self.diffraction_shape, 4),
            (self.offsets_shape, 4),
            (self.patches_shape, 8),
        ):
            n_bytes = item_bytes
            for side in shape:
                n_bytes *= side
            starts.append(starts[-1] + -(-n_bytes // _ALIGNED_BYTES) * _ALIGNED_BYTES)
        return starts


class SharedArrays:
    """The arrays of one batch in memory that was mapped."""

    def __init__(self, descriptor: int, layout: Layout) -> None:
        self._map = mmap.mmap(descriptor, layout.n_bytes)
        diffraction, offsets, patches, _ = layout._starts()
        self.diffraction: NDArray[np.float32] = np.ndarray(
            layout.diffraction_shape, np.float32, self._map, diffraction
        )
        self.local_offsets_px: NDArray[np.float32] = np.ndarray(
            layout.offsets_shape, np.float32, self._map, offsets
        )
        self.patches: NDArray[np.complex64] = np.ndarray(
            layout.patches_shape, np.complex64, self._map, patches
        )


def make_memory() -> int:
    """Give the descriptor of memory that has no size yet, and no name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("ptyrun", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def grow(descriptor: int, n_bytes: int) -> None:
    """Give it its size, for good: who shrinks memory that others have mapped ends them.

    Raises
    ------
    OSError
        If there is no room, or if it changes its size.
    """
    os.ftruncate(descriptor, n_bytes)
    with suppress(ImportError, AttributeError):
        import fcntl

        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    if os.fstat(descriptor).st_size != n_bytes:
        raise OSError("the memory for a batch changes its size")

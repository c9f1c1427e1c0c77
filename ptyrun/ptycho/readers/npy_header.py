"""What does the head of an .npy array say of its values?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy


@dataclass(frozen=True)
class Header:
    """Shape and dtype of one array, and where its values begin in what holds it."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    data_offset: int

    @property
    def data_bytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    @classmethod
    def read(cls, stream: IO[bytes]) -> Self:
        """Read it from the first bytes; NumPy's parser raises whatever it meets."""
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        return cls(*read(stream), stream.tell())

"""Where does each frame lie? Checked when a file is opened; held once it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.complex_images import refusal
from ptyrun.ptycho.readers.npz import NpzFile

# Distances of two places, and their squares, are numbers.
_FARTHEST = 1e15


@dataclass(frozen=True)
class Column:
    """One axis of positions, as stored.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    blocks : callable
        Gives its values from the first to the last, some at a time; asked again, again.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Callable[[], Iterator[NDArray[Any]]]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Self:
        """Values that are in memory."""
        return cls(values.shape, values.dtype, lambda: iter([values]))

    @classmethod
    def in_npz(cls, file: NpzFile, name: str) -> Self:
        """A member of an archive."""
        header = file.header(name)
        return cls(header.shape, header.dtype, partial(file.blocks, name))

    def check(self, where: str) -> int:
        """Count the values; *where* names them in errors.

        Raises
        ------
        InputError
            If they are not finite real numbers, or too large for any object.
        """
        is_real = len(self.shape) == 1 and self.dtype.kind in "fiu"
        count, farthest, at, first_bad = 0, 0.0, 0, None
        for block in self.blocks():  # to its end: whether a file is damaged shows there
            if is_real and first_bad is None:
                finite = np.isfinite(block)
                if not finite.all():
                    first_bad = count + int(np.argmin(finite))
                elif (size := np.abs(block.astype(np.float64))).max(initial=0) > farthest:
                    farthest, at = float(size.max()), count + int(np.argmax(size))
            count += block.size
        if not is_real:
            what = f"{self.dtype} of shape {self.shape}, not real of shape (n,)"
            raise refusal(f"{where} are not positions", what, "store one real number per frame")
        if first_bad is not None:
            raise InputError(
                f"{where} are not all finite",
                why=f"that of frame {first_bad}, counted from 0, is NaN or infinite",
                do="drop the frames without a position",
            )
        if farthest > _FARTHEST:
            raise InputError(
                f"{where} are not positions",
                why=f"they reach {farthest:.4g} in frame {at}, counted from 0, and no object has "
                f"more than {_FARTHEST:g} pixels a side",
                do="correct them, or leave these frames out",
            )
        return count


@dataclass(frozen=True)
class StoredPositions:
    """Positions that lie in a file, and are held from when they are first asked for.

    Parameters
    ----------
    x, y : Column
        Patch centres in object pixels.
    """

    x: Column
    y: Column

    def __len__(self) -> int:
        return self.x.shape[0]

    @classmethod
    def checked(cls, path: Path, x: Column, y: Column, n_frames: int) -> Self:
        """Look through both axes, a block at a time; raises as `checked_positions`."""
        lengths = [
            axis.check(f"{name} of {path}") for name, axis in (("xcoords", x), ("ycoords", y))
        ]
        if set(lengths) != {n_frames}:
            raise InputError(
                f"the lengths in {path} differ",
                why=f"{n_frames} frames, {lengths[0]} xcoords, {lengths[1]} ycoords",
                do="store one x and one y per frame",
            )
        return cls(x, y)

    @cached_property
    def all_px(self) -> NDArray[np.float64]:
        """As (y, x), shape (n, 2)."""
        found = np.empty((len(self), 2))
        for column, axis in enumerate((self.y, self.x)):
            first = 0
            for block in axis.blocks():
                found[first : first + len(block), column] = block
                first += len(block)
        return found


class PositionsField:
    """The field of a dataclass that takes positions, held or stored, and gives them held."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> NDArray[np.float64]:
        if instance is None:
            raise AttributeError(self._name)  # so that dataclasses see no default
        found: NDArray[np.float64] | StoredPositions = vars(instance)[self._name]
        return found.all_px if isinstance(found, StoredPositions) else found

    def __set__(self, instance: object, value: NDArray[np.float64] | StoredPositions) -> None:
        vars(instance)[self._name] = value


def checked_positions(
    path: Path, x: NDArray[Any], y: NDArray[Any], n_frames: int
) -> NDArray[np.float64]:
    """Positions as (y, x), shape (n, 2), or an error that says what is wrong with them.

    Parameters
    ----------
    path : Path
        Named in errors.
    x, y : ndarray, shape (n,)
        Patch centres in object pixels, as stored.
    n_frames : int
        How many there must be.

    Raises
    ------
    InputError
        If lengths differ, or values are not finite real numbers.
    """
    return StoredPositions.checked(path, Column.of(x), Column.of(y), n_frames).all_px

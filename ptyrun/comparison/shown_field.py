"""What of a complex image is shown, and how is it brought to another?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.geometry.placement import Region

LONGEST_SIDE_PX = 1024
PRINTED_SIDE_PX = 512  # a panel of a figure has fewer dots

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Field:
    """A complex image (h, w), where it is known, and its corner on the object's grid."""

    values: Complex2D
    covered: Mask
    top: int = 0
    left: int = 0

    @property
    def region(self) -> Region:
        """Which pixels of the object it has."""
        return Region(self.top, self.left, *self.values.shape)

    def within(self, region: Region) -> Field:
        """Cut it to a region that it holds."""
        top, left = region.top - self.top, region.left - self.left
        inside = (slice(top, top + region.height), slice(left, left + region.width))
        return Field(self.values[inside], self.covered[inside], region.top, region.left)

    def thinned(self, step: int) -> Field:
        """Average squares of *step* pixels a side, over what is known of them."""
        if step == 1:
            return self
        known = _block_sum(self.covered.astype(np.float32), step)
        total = _block_sum(np.where(self.covered, self.values, 0), step)
        mean = np.divide(total, known, out=np.zeros_like(total), where=known > 0)
        return Field(mean, known > 0)


def unit_between(image: Complex2D, target: Complex2D, where: Mask) -> complex:
    """Find the phase factor that brings an image to another."""
    turn = complex(np.vdot(image[where], target[where]))
    return turn / abs(turn) if turn else 1.0


def phase_spread(values: Complex2D) -> float:
    """How far phases (k,) lie from their mean, in radians."""
    return float(np.std(np.angle(values * np.conj(values.mean()))))


def step_of(shape: tuple[int, ...], longest_px: int = LONGEST_SIDE_PX) -> int:
    """How many pixels a side are averaged into one, so that a picture is not too large."""
    return math.ceil(max(shape) / longest_px)


def _block_sum(values: NDArray[Any], step: int) -> NDArray[Any]:
    """Add up squares; those at the lower and right edge may be smaller."""
    rows = np.add.reduceat(values, np.arange(0, values.shape[0], step), axis=0)
    return np.asarray(np.add.reduceat(rows, np.arange(0, values.shape[1], step), axis=1))

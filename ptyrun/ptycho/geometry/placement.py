"""Where on the object's grid is what is compared?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import GeometryError

SMALLEST_PX = 8  # side of what can be compared
LEAST_SPAN_PX = 1.0
STITCHED_BYTES_PER_PX = 40  # sums and weights in double precision, the object and its coverage
_GIB = 2**30


@dataclass(frozen=True)
class Region:
    """A rectangle of the object's pixels: rows top.. and columns left.. of it.

    Attributes
    ----------
    top, left : int
        Its first row and column.
    height, width : int
        How many of each, in pixels.
    """

    top: int
    left: int
    height: int
    width: int

    def moved(self, by_px: int) -> Region:
        """The same pixels of an image that has more above and to the left.

        Parameters
        ----------
        by_px : int
            How many pixels more, on each of these sides.

        Returns
        -------
        Region
            Of the same height and width.
        """
        return Region(self.top + by_px, self.left + by_px, self.height, self.width)

    @property
    def slices(self) -> tuple[slice, slice]:
        """As indices into an array (H, W)."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    def within(self, rows: int, columns: int) -> Region:
        """Take rows off the top and bottom and columns off the sides.

        Parameters
        ----------
        rows, columns : int
            Taken off at each side, in pixels.

        Returns
        -------
        Region
            On the same grid.
        """
        return Region(
            self.top + rows, self.left + columns, self.height - 2 * rows, self.width - 2 * columns
        )

    def centre(self, height: int, width: int) -> Region:
        """Take the middle, the spare pixel below and to the right.

        Parameters
        ----------
        height, width : int
            Of the middle, in pixels.

        Returns
        -------
        Region
            On the same grid.
        """
        top, left = (self.height - height) // 2, (self.width - width) // 2
        return Region(self.top + top, self.left + left, height, width)

    def grown(self, px: int, height: int, width: int) -> Region:
        """Add pixels at each side, as far as an image goes.

        Parameters
        ----------
        px : int
            How many.
        height, width : int
            Of the image, in pixels.

        Returns
        -------
        Region
            On the same grid.
        """
        return self.within(-px, -px).overlap(Region(0, 0, height, width))

    def seen_from(self, outer: Region) -> Region:
        """Where it lies in an array that holds *outer*.

        Parameters
        ----------
        outer : Region
            What the array holds.

        Returns
        -------
        Region
            In the array's own pixels.
        """
        return Region(self.top - outer.top, self.left - outer.left, self.height, self.width)

    def overlap(self, other: Region) -> Region:
        """What both hold; without rows or columns where they do not meet.

        Parameters
        ----------
        other : Region
            On the same grid.

        Returns
        -------
        Region
            On the same grid.
        """
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + self.height, other.top + other.height)
        right = min(self.left + self.width, other.left + other.width)
        return Region(top, left, max(0, bottom - top), max(0, right - left))

    def as_tuple(self) -> tuple[int, int, int, int]:
        """Give it for a document.

        Returns
        -------
        tuple of int
            (top, left, height, width).
        """
        return self.top, self.left, self.height, self.width


def check_span(positions_px: NDArray[np.float64]) -> None:
    """Refuse positions that never leave a pixel: they are in metres, or all the same.

    Parameters
    ----------
    positions_px : ndarray of float64, shape (n, 2)
        As (y, x) in object pixels.

    Raises
    ------
    GeometryError
        If there are several and they span less than a pixel in both directions.
    """
    spans = np.ptp(positions_px, axis=0)
    if len(positions_px) > 1 and spans.max() < LEAST_SPAN_PX:
        raise GeometryError(
            f"the positions span {spans.max():.2f} px",
            why=f"all {len(positions_px)} lie within one pixel: in y {spans[0]:.3g}, in x "
            f"{spans[1]:.3g}; are they in metres, or all the same?",
            do="store positions in object pixels",
        )


def check_extent(
    positions_px: NDArray[np.float64], shape: tuple[int, int], memory_bytes: int
) -> None:
    """Refuse positions that span a larger object than memory holds.

    Parameters
    ----------
    positions_px : ndarray of float64, shape (n, 2)
        As (y, x) in object pixels.
    shape : (int, int)
        (H, W) of the object.
    memory_bytes : int
        What there is.

    Raises
    ------
    GeometryError
        If it is; the error names the position that lies farthest from the others.
    """
    needed_bytes = shape[0] * shape[1] * STITCHED_BYTES_PER_PX
    if needed_bytes <= memory_bytes:
        return
    distances = np.linalg.norm(positions_px - np.median(positions_px, axis=0), axis=1)
    farthest = int(distances.argmax())
    y, x = positions_px[farthest]
    others = np.delete(positions_px, farthest, axis=0)
    spans = np.ptp(others, axis=0) if len(others) else (0.0, 0.0)
    raise GeometryError(
        f"the object would be {shape[0]} x {shape[1]} px and take {needed_bytes / _GIB:.1f} GiB; "
        f"all of the machine's memory is {memory_bytes / _GIB:.1f} GiB",
        why=f"it reaches from pixel (0, 0) to the last position: number {farthest} at "
        f"({y:.0f}, {x:.0f}) lies farthest from the others, which span {spans[0]:.0f} x "
        f"{spans[1]:.0f} px",
        do="correct that position or leave its frame out, and see that all are in object pixels",
    )


def extremes(positions_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the corners of the bounding box of positions.

    Parameters
    ----------
    positions_px : ndarray of float64, shape (n, 2)
        As (y, x) in object pixels.

    Returns
    -------
    ndarray of float64, shape (2, 2)
        The least and the greatest (y, x); of no positions, none: shape (0, 2).
    """
    if not len(positions_px):
        return positions_px
    return np.stack([positions_px.min(axis=0), positions_px.max(axis=0)])


def scanned_region(
    positions_px: NDArray[np.float64], crop_px: int, shape: tuple[int, int]
) -> Region:
    """Find the bounding box of the positions, wider by half a crop, inside the object.

    Parameters
    ----------
    positions_px : ndarray of float64, shape (n, 2)
        As (y, x) in object pixels.
    crop_px : int
        Side of the part of a patch that is placed, in pixels.
    shape : (int, int)
        (H, W) of the object.

    Returns
    -------
    Region
        On the object's grid.

    Raises
    ------
    GeometryError
        If the positions lie outside the object.
    """
    low = positions_px.min(axis=0) - crop_px // 2
    high = positions_px.max(axis=0) + crop_px // 2
    top, left = (max(0, math.floor(value)) for value in low)
    bottom, right = (min(side, math.floor(value)) for side, value in zip(shape, high, strict=True))
    if bottom <= top or right <= left:
        raise GeometryError(
            "the positions lie outside the object",
            why=f"the object is {shape[0]} x {shape[1]} px, positions reach from "
            f"({low[0]:.1f}, {low[1]:.1f}) to ({high[0]:.1f}, {high[1]:.1f})",
            do="check that positions are in pixels of this object, and not x and y swapped",
        )
    return Region(top, left, bottom - top, right - left)


def origins_px(
    size_px: tuple[int, ...],
    shape: tuple[int, int],
    positions_px: NDArray[np.float64],
    patch_px: int,
) -> list[tuple[int, int]]:
    """List where on the grid (H, W) the pixel (0, 0) of a reconstruction may lie, likeliest first.

    An image of the grid's own size lies on it as it is. Another one was computed on a canvas of
    its own, of which programs put the middle at the middle of the positions' bounding box; what
    is left of a shift is for registration to find. Where no truth gives the grid its size, an
    image that holds every patch may also begin where positions count from.

    Parameters
    ----------
    size_px : (int, int)
        Of the reconstruction.
    shape : (int, int)
        Of the grid.
    positions_px : ndarray of float64, shape (n, 2)
        As (y, x) on the grid.
    patch_px : int
        Side N of a patch.

    Returns
    -------
    list of (int, int)
        (row, column), likeliest first.
    """
    if size_px == shape:
        return [(0, 0)]
    middle = (positions_px.min(axis=0) + positions_px.max(axis=0)) / 2
    top, left = (
        round(float(centre) - side / 2) for centre, side in zip(middle, size_px, strict=True)
    )
    needed = np.ceil(positions_px.max(axis=0)) + patch_px // 2
    holds_all = bool((needed <= np.array(size_px)).all())
    return [(top, left), (0, 0)] if holds_all and (top, left) != (0, 0) else [(top, left)]


def placed(
    image: NDArray[np.complexfloating[Any, Any]],
    shape: tuple[int, int],
    origin_px: tuple[int, int],
) -> tuple[NDArray[np.complex64], NDArray[np.float64]]:
    """Lay a reconstruction (h, w) on the object's grid (H, W); whole pixels, no interpolation.

    Parameters
    ----------
    image : ndarray of complex, shape (h, w)
    shape : (int, int)
        The grid's.
    origin_px : (int, int)
        Row and column of the grid where the image's pixel (0, 0) lies; may be negative.

    Returns
    -------
    object : ndarray of complex64, shape (H, W)
        Zero where the image does not reach.
    coverage : ndarray of float64, shape (H, W)
        One where it does. Both may be shared with others, and are not written to.
    """
    if image.shape == shape and origin_px == (0, 0) and image.dtype == np.complex64:
        return image, np.broadcast_to(1.0, shape)  # of a large one, copies are much memory
    grid = np.zeros(shape, np.complex64)
    coverage = np.zeros(shape)
    first = [max(0, start) for start in origin_px]
    last = [
        min(side, start + length)
        for side, start, length in zip(shape, origin_px, image.shape, strict=True)
    ]
    if last[0] > first[0] and last[1] > first[1]:
        target = (slice(first[0], last[0]), slice(first[1], last[1]))
        source = tuple(
            slice(a - start, b - start) for a, b, start in zip(first, last, origin_px, strict=True)
        )
        grid[target] = image[source]
        coverage[target] = 1.0
    return grid, coverage


def centre_crop(image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Take the middle of an image, the spare pixel below and to the right.

    Parameters
    ----------
    image : ndarray, shape (H, W)
        Of any dtype.
    height, width : int
        Of the middle, in pixels.

    Returns
    -------
    ndarray, shape (height, width)
        A view of it.
    """
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]

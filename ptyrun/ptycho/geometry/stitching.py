"""What object do the patches make?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import GeometryError

# Patches interpolated at once; bounds memory, changes no bit.
BLOCK_PATCHES = 256

UPSTREAM_EPSILON = 1e-9


class Stitcher:
    """Lays patches on an object's own pixel grid, wherever between pixels they belong.

    Each patch is cropped to its central M x M pixels, shifted to its position by bilinear
    interpolation (zeros outside) and added, with a window of ones shifted alike as its weight;
    the object is the quotient. Sums are in double precision and strictly in the order of the
    patches, so that no bit depends on how they are handed over.

    Parameters
    ----------
    shape : (int, int)
        The object's (H, W) in pixels. What falls outside is left out.
    crop_px : int
        M, even, at most the patch's side.

    Raises
    ------
    GeometryError
        If M is odd or not positive.
    """

    def __init__(self, shape: tuple[int, int], crop_px: int) -> None:
        if crop_px <= 0 or crop_px % 2:
            raise GeometryError(
                f"patches cannot be cropped to {crop_px} pixels",
                why="a crop is an even number of pixels, so that it has the patch's centre",
                do=f"take {max(2, crop_px + crop_px % 2)}",
            )
        self.shape = shape
        self.crop_px = crop_px
        self._margin = crop_px + 1
        padded = (shape[0] + 2 * self._margin, shape[1] + 2 * self._margin)
        self._sum = np.zeros((*padded, 2))
        self._weight = np.zeros(padded)

    def add(
        self,
        patches: NDArray[np.complexfloating[Any, Any]],
        positions_px: NDArray[np.float64],
        weights: NDArray[Any] | None = None,
    ) -> None:
        """Lay patches down.

        Parameters
        ----------
        patches : ndarray of complex, shape (k, N, N)
        positions_px : ndarray of float64, shape (k, 2)
            Centres as (y, x): an unshifted patch covers p - N/2 .. p + N/2 - 1.
        weights : ndarray, shape (k,), optional
            How often each patch counts (its multiplicity); once when None.

        Raises
        ------
        GeometryError
            If patches are smaller than the crop.
        """
        crop = central(patches, self.crop_px)
        counts = np.ones(len(crop)) if weights is None else np.asarray(weights, np.float64)
        whole = np.floor(positions_px)
        fraction = positions_px - whole
        corner = whole.astype(np.int64) - self.crop_px // 2 + self._margin
        last = np.array(self._weight.shape) - self._margin
        inside = np.all((corner >= 0) & (corner <= last), axis=1, keepdims=True)[:, 0]
        for first in range(0, len(crop), BLOCK_PATCHES):
            block = np.arange(first, min(first + BLOCK_PATCHES, len(crop)))
            block = block[inside[block]]
            self._add_block(crop[block], corner[block], fraction[block], counts[block])

    def sums(self) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
        """Give what the object is the quotient of.

        Returns
        -------
        ndarray of complex128, shape (H, W)
            Weighted sum of the patches.
        ndarray of float64, shape (H, W)
            Sum of the weights.
        """
        inner = slice(self._margin, -self._margin)
        total = np.ascontiguousarray(self._sum[inner, inner]).view(np.complex128)[..., 0]
        return total, self._weight[inner, inner].copy()

    @property
    def state(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """All that was added, to go on from later; not to be changed."""
        return self._sum, self._weight

    def resume(self, state: tuple[NDArray[np.float64], NDArray[np.float64]]) -> None:
        """Go on from the `state` of a stitcher of the same shape and crop.

        Parameters
        ----------
        state : tuple of ndarray of float64, shape (H, W)
            What `state` gave.

        Raises
        ------
        ValueError
            If it is of another one.
        """
        for own, found in zip(self.state, state, strict=True):
            if own.shape != found.shape:
                raise ValueError(f"a sum of shape {found.shape}, not {own.shape}")
            own[...] = found

    def __add__(self, other: Stitcher) -> Stitcher:
        """Give what the patches of both make, of one shape and crop."""
        both = Stitcher(self.shape, self.crop_px)
        np.add(self._sum, other._sum, out=both._sum)
        np.add(self._weight, other._weight, out=both._weight)
        return both

    def result(self) -> tuple[NDArray[np.complex64], NDArray[np.float64]]:
        """Give the object and its coverage.

        Returns
        -------
        ndarray of complex64, shape (H, W)
            The object, zero where no patch lies.
        ndarray of float64, shape (H, W)
            Sum of the weights of the patches on each pixel.
        """
        total, coverage = self.sums()
        covered = coverage > 0
        stitched = np.zeros(self.shape, np.complex64)
        stitched[covered] = total[covered] / coverage[covered]
        return stitched, coverage

    def _add_block(
        self,
        crop: NDArray[np.complexfloating[Any, Any]],
        corner: NDArray[np.int64],
        fraction: NDArray[np.float64],
        counts: NDArray[np.float64],
    ) -> None:
        side = self.crop_px + 1
        windows = _shifted(crop, fraction) * counts[:, None, None, None]
        along_y, along_x = (_shifted_ones(self.crop_px, fraction[:, axis]) for axis in (0, 1))
        along_y *= counts[:, None]
        for window, wy, wx, (y, x) in zip(windows, along_y, along_x, corner.tolist(), strict=True):
            self._sum[y : y + side, x : x + side] += window
            self._weight[y : y + side, x : x + side] += wy[:, None] * wx


def central(patches: NDArray[Any], crop_px: int) -> NDArray[Any]:
    """Crop the last two axes to their middle (from N//2 - M//2 on).

    Parameters
    ----------
    patches : ndarray, shape (..., N, N)
        Of any dtype.
    crop_px : int
        M, the side of the middle in pixels.

    Returns
    -------
    ndarray, shape (..., M, M)
        A view of them.

    Raises
    ------
    GeometryError
        If the patches are smaller than that.
    """
    sides = patches.shape[-2:]
    if crop_px > min(sides):
        raise GeometryError(
            f"patches of {sides[0]} x {sides[1]} pixels cannot be cropped to {crop_px}",
            why="the crop is larger than the patch",
            do=f"take a crop of at most {min(sides)} pixels",
        )
    rows, columns = (slice(side // 2 - crop_px // 2, None) for side in sides)
    return patches[..., rows, columns][..., :crop_px, :crop_px]


def object_shape(positions_px: NDArray[np.float64], patch_px: int) -> tuple[int, int]:
    """Find the smallest (H, W), from pixel (0, 0) on, that holds every patch.

    Parameters
    ----------
    positions_px : ndarray of float64, shape (n, 2)
        As (y, x) in object pixels.
    patch_px : int
        Side N of a patch.

    Returns
    -------
    (int, int)
        (H, W).

    Raises
    ------
    GeometryError
        If positions are negative: the grid begins at pixel (0, 0).
    """
    if positions_px.min() < 0:
        raise GeometryError(
            "some positions are negative",
            why=f"the smallest is {positions_px.min():.2f} px; an object begins at pixel (0, 0)",
            do="shift the positions so that patches lie inside the object",
        )
    height, width = np.ceil(positions_px.max(axis=0)).astype(int) + (patch_px + 1) // 2
    return int(height), int(width)


def reassemble_upstream(
    patches: NDArray[np.complexfloating[Any, Any]],
    offsets_px: NDArray[np.float64],
    crop_px: int,
) -> tuple[NDArray[np.complex64], tuple[float, float]]:
    """Stitch as upstream does: on a square canvas around the mean of the offsets.

    Parameters
    ----------
    patches : ndarray of complex, shape (k, N, N)
    offsets_px : ndarray, shape (k, 2)
        As (y, x).
    crop_px : int
        M.

    Returns
    -------
    canvas : ndarray of complex64, shape (M + 2P, M + 2P)
        P is the largest offset from the mean, rounded up and made even.
    origin_px : (float, float)
        Object position (y, x) of the canvas' pixel (0, 0).
    """
    mean = offsets_px.mean(axis=0)
    placed = offsets_px - mean
    reach = int(np.ceil(np.abs(placed).max()))
    reach += reach % 2
    side = crop_px + 2 * reach
    stitcher = Stitcher((side, side), crop_px)
    half = crop_px // 2 + reach
    stitcher.add(patches, placed + half)
    total, weight = stitcher.sums()
    canvas = (total / (UPSTREAM_EPSILON + weight)).astype(np.complex64)
    return canvas, (float(mean[0] - half), float(mean[1] - half))


def _shifted(
    crop: NDArray[np.complexfloating[Any, Any]], fraction: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shift (k, M, M) by a fraction of a pixel: (k, M + 1, M + 1, 2), real and imaginary.

    In reals, because a complex product may round differently in vectors and in their rests.
    """
    parts = np.stack([crop.real, crop.imag], axis=-1).astype(np.float64)
    count, side = parts.shape[:2]
    fy, fx = (fraction[:, axis][:, None, None, None] for axis in (0, 1))
    rows = np.zeros((count, side + 1, side, 2))
    rows[:, :-1] = parts * (1 - fy)
    rows[:, 1:] += parts * fy
    both = np.zeros((count, side + 1, side + 1, 2))
    both[:, :, :-1] = rows * (1 - fx)
    both[:, :, 1:] += rows * fx
    return both


def _shifted_ones(side: int, fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift ones alike, along one axis: (k, side + 1)."""
    ones = np.ones((len(fraction), side + 1))
    ones[:, 0] = 1 - fraction
    ones[:, -1] = fraction
    return ones

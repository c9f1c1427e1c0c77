"""What adds up to a metric, tile by tile of an aligned pair, for resampling to draw from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics import measures

TILE_PX = 8
MOST_TILES = 64  # along a side
_K1, _K2 = 0.01, 0.03
_RADIUS_PX = measures.WANG_WINDOW_PX // 2
# Wang's window, from its middle outwards: what is left of a Gaussian, with a sum of 1.
_GAUSSIAN = np.exp(-((np.arange(_RADIUS_PX + 1) / measures.WANG_SIGMA_PX) ** 2) / 2)
_WINDOW = _GAUSSIAN / (2 * _GAUSSIAN.sum() - _GAUSSIAN[0])
_BAND_PX = 1 << 15  # of an image at once: what a processor holds near it

Image = NDArray[np.floating[Any]]
Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]
Sums = Mapping[str, NDArray[np.float64]]


class Part(Protocol):
    """Amplitudes, or phases, of an aligned pair (h, w)."""

    @property
    def recon(self) -> Image:
        """Of the reconstruction."""

    @property
    def truth(self) -> Image:
        """Of what it is held against."""

    @property
    def contrasts(self) -> tuple[Image, Image]:
        """Both, less what is arbitrary in them."""

    @property
    def covered(self) -> Mask:
        """Where both are known."""

    @property
    def counted(self) -> Mask:
        """Where errors count."""

    @property
    def absolute(self) -> Image:
        """Errors without their signs."""

    @property
    def squared(self) -> Image:
        """Their squares."""

    @property
    def data_range(self) -> float:
        """What PSNR and SSIM count by."""

    @property
    def lacks(self) -> str:
        """Why there are errors alone, if so."""

    @property
    def similarity(self) -> Sums:
        """From :func:`similarity_sums`."""


@dataclass(frozen=True)
class Tiles:
    """Sums over square tiles of an image.

    Attributes
    ----------
    sums : mapping of str to ndarray, shape (ty, tx)
        By the name of what is summed.
    tile_px : int
        Side of a tile, in pixels.
    ranges : mapping of str to float
        The data ranges that PSNR and SSIM count by.
    """

    sums: Sums
    tile_px: int
    ranges: Mapping[str, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of tiles along y and x."""
        height, width = next(iter(self.sums.values())).shape
        return int(height), int(width)


class Adding:
    """Sums of images of one *shape*, by name."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.sums: dict[str, NDArray[np.float64]] = {}
        self.ranges: dict[str, float] = {}
        self.tile_px = max(TILE_PX, -(-max(shape) // MOST_TILES))
        self._n_tiles = tuple(-(-side // self.tile_px) for side in shape)

    @property
    def tiles(self) -> Tiles:
        """What was added up."""
        return Tiles(self.sums, self.tile_px, self.ranges)

    def part(self, name: str, part: Part) -> None:
        """Sum what is measured of amplitudes, or of phases.

        Parameters
        ----------
        name : str
            ``amplitude`` or ``phase``.
        part : Part
            What is compared, and where.
        """
        self.ranges[name] = part.data_range
        self.errors(name, part.absolute, part.squared, part.counted)
        if not part.lacks:
            self.moments(name, *part.contrasts, part.covered)
            self.sums |= {f"{name}.{each}": sums for each, sums in part.similarity.items()}

    def put(self, name: str, values: NDArray[Any], tile_px: float | None = None) -> None:
        """Sum values tile by tile; smaller tiles are those of a coarser scale.

        Parameters
        ----------
        name : str
            Of what is summed.
        values : ndarray, shape (h, w)
            Real or complex.
        tile_px : float, optional
            Side of a tile, in pixels of *values*.
        """
        side = self.tile_px if tile_px is None else tile_px
        whole = np.asarray(values, np.float64)
        for axis, length in enumerate(values.shape):
            n_tiles = self._n_tiles[axis]
            tiles, first = _tiles_along(length, side, n_tiles)
            summed = np.add.reduceat(whole, first, axis=axis)[_at(axis, slice(len(tiles)))]
            whole = summed
            if len(tiles) < n_tiles:
                whole = np.zeros(
                    [n_tiles if axis == each else n for each, n in enumerate(summed.shape)]
                )
                whole[_at(axis, tiles)] = summed
        self.sums[name] = whole

    def errors(self, part: str, absolute: Image, squared: Image, counted: Mask) -> None:
        """Sum errors and their squares.

        Parameters
        ----------
        part : str
            ``amplitude`` or ``phase``.
        absolute, squared : ndarray of float, shape (h, w)
            The errors, in the part's unit, and their squares.
        counted : ndarray of bool, shape (h, w)
            Which pixels count.
        """
        self.put(f"{part}.n", counted)
        self.put(f"{part}.absolute", np.where(counted, absolute, 0.0))
        self.put(f"{part}.squared", np.where(counted, squared, 0.0))

    def moments(self, part: str, own: Image, wanted: Image, counted: Mask) -> None:
        """Sum both images, their squares and their product.

        Parameters
        ----------
        part : str
            ``amplitude`` or ``phase``.
        own, wanted : ndarray of float, shape (h, w)
            Reconstruction and truth.
        counted : ndarray of bool, shape (h, w)
            Which pixels count.
        """
        # Around their means, where sums of squares lose no digits.
        u = np.where(counted, own - own[counted].mean(), 0.0) if counted.any() else own * 0
        v = np.where(counted, wanted - wanted[counted].mean(), 0.0) if counted.any() else u
        for name, values in (("count", counted), ("u", u), ("v", v)):
            self.put(f"{part}.{name}", values)
        for name, one, other in (("uu", u, u), ("vv", v, v), ("uv", u, v)):
            self.put(f"{part}.{name}", one * other)

    def field(self, recon: Complex2D, truth: Complex2D, covered: Mask) -> None:
        """Sum the fields and their products.

        Parameters
        ----------
        recon, truth : ndarray of complex, shape (h, w)
            Aligned.
        covered : ndarray of bool, shape (h, w)
            Which pixels count.
        """
        (r, ri), (o, oi) = (
            [np.where(covered, part, 0).astype(np.float64) for part in (image.real, image.imag)]
            for image in (recon, truth)
        )
        self.put("field.n", covered)
        for name, values in (("r.re", r), ("r.im", ri), ("o.re", o), ("o.im", oi)):
            self.put(f"field.{name}", values)
        self.put("field.cross.re", r * o + ri * oi)
        self.put("field.cross.im", r * oi - ri * o)
        self.put("field.rr", r * r + ri * ri)
        self.put("field.oo", o * o + oi * oi)


def similarity_sums(
    own: Image, wanted: Image, covered: Mask, data_range: float, *, has_zero: bool
) -> Sums:
    """Sum local similarities tile by tile, where whole windows are covered, at each scale.

    Parameters
    ----------
    own, wanted : ndarray of float, shape (h, w)
    covered : ndarray of bool, shape (h, w)
    data_range : float
    has_zero : bool
        Whether luminance counts.

    Returns
    -------
    mapping of str to ndarray
        By scale, shape (ty, tx).
    """
    add = Adding(covered.shape)
    if data_range == 0:
        return add.sums
    for scale, windows in enumerate(measures.wang_scales(covered)):
        if scale:
            own, wanted = measures.halved(own), measures.halved(wanted)
        full, structure = local_similarity(own, wanted, data_range)
        side = add.tile_px / 2**scale
        add.put(f"windows{scale}", windows, side)
        add.put(f"structure{scale}", _within(windows, structure), side)
        if has_zero:
            add.put(f"full{scale}", _within(windows, full), side)
    return add.sums


def _within(windows: Mask, similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Similarities of the windows (h, w) that count; zero elsewhere."""
    whole = np.zeros(windows.shape)
    inside = (slice(_RADIUS_PX, -_RADIUS_PX),) * 2
    np.copyto(whole[inside], similarity, where=windows[inside])
    return whole


def similarities(sums: Sums) -> dict[str, Any]:
    """Give ``ssim`` and ``ms_ssim`` of what :func:`similarity_sums` gave, added up in any way.

    Nothing where there is no scale.

    Parameters
    ----------
    sums : mapping of str to ndarray
        What :func:`similarity_sums` gave, added up over tiles.

    Returns
    -------
    dict of str to float or ndarray
        Empty where there is no scale.
    """
    n_scales = sum(name.startswith("windows") for name in sums)
    if not n_scales:
        return {}
    first = "full" if "full0" in sums else "structure"
    weights = np.array(measures.WANG_WEIGHTS[:n_scales]) / sum(measures.WANG_WEIGHTS[:n_scales])
    product: Any = 1.0
    for scale, weight in enumerate(weights):
        kind = first if scale == n_scales - 1 else "structure"
        mean = sums[f"{kind}{scale}"] / sums[f"windows{scale}"]
        product = product * np.maximum(mean, 0.0) ** weight
    return {"ssim": sums[f"{first}0"] / sums["windows0"], "ms_ssim": product}


def coarsest_window_px(sums: Sums) -> int:
    """Give the side of a window of the coarsest scale that :func:`similarity_sums` has.

    Parameters
    ----------
    sums : mapping of str to ndarray
        Of one image or several parts, by name.

    Returns
    -------
    int
        In pixels of the image; 0 without a scale.
    """
    scales = [int(name.rpartition("windows")[2]) for name in sums if "windows" in name]
    return measures.WANG_WINDOW_PX * 2 ** max(scales) if scales else 0


def _at(axis: int, chosen: slice | NDArray[np.int64]) -> tuple[Any, ...]:
    return (chosen,) if axis == 0 else (slice(None), chosen)


@lru_cache(maxsize=32)
def _tiles_along(
    length: int, side: float, n_tiles: int
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Which tiles have pixels, and the first pixel of each, or of what lies beyond them.

    Of a coarse scale there may be fewer pixels than tiles.
    """
    place = (np.arange(length) / side).astype(np.int64)
    tiles, first = np.unique(place, return_index=True)
    return tiles[tiles < n_tiles], first


def local_similarity(
    recon: Image, truth: Image, data_range: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the local SSIM, and its part without luminance, wherever a window lies inside.

    Parameters
    ----------
    recon, truth : ndarray of float, shape (h, w)
        In one unit.
    data_range : float
        Range of the truth, in the same unit.

    Returns
    -------
    tuple of ndarray of float64, shape (h - 10, w - 10)
        Both at most 1.
    """
    height, width = (side - 2 * _RADIUS_PX for side in truth.shape)
    full, structure = np.empty((height, width)), np.empty((height, width))
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    step = max(1, _BAND_PX // truth.shape[1])
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        around = slice(top, rows.stop + 2 * _RADIUS_PX)
        x, y = truth[around].astype(np.float64), recon[around].astype(np.float64)
        # Both variances are wanted together alone.
        ux, uy, product, power = _averaged(np.stack([x, y, x * y, x * x + y * y]))
        of_means, squares = ux * uy, ux * ux + uy * uy
        structure[rows] = (2 * (product - of_means) + c2) / (power - squares + c2)
        full[rows] = structure[rows] * (2 * of_means + c1) / (squares + c1)
    return full, structure


def _averaged(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average images (k, h, w) over the window around each pixel that has a whole one."""
    for axis in (1, 2):
        length = images.shape[axis] - 2 * _RADIUS_PX
        moved = np.moveaxis(images, axis, 0)
        total = _WINDOW[0] * moved[_RADIUS_PX : _RADIUS_PX + length]
        for away_px, weight in enumerate(_WINDOW[1:], 1):
            before, after = _RADIUS_PX - away_px, _RADIUS_PX + away_px
            both = moved[before : before + length] + moved[after : after + length]
            both *= weight
            total += both
        images = np.moveaxis(total, 0, axis)
    return images

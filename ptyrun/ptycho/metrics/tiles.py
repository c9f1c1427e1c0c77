"""What adds up to a metric, tile by tile of an aligned pair, for resampling to draw from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ptyrun.ptycho.metrics import measures
from ptyrun.ptycho.metrics.alignment import amplitude_factor
from ptyrun.ptycho.metrics.phase_pair import PhasePair

TILE_PX = 8
MOST_TILES = 64  # along a side
# Radius of the window that scikit-image's structural similarity has, in sigmas.
_TRUNCATE = 3.5
_K1, _K2 = 0.01, 0.03

Image = NDArray[np.floating[Any]]
Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]
Sums = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Tiles:
    """Sums (ty, tx) over square tiles of an image, by the name of what is summed.

    ``ranges`` are the data ranges that PSNR and SSIM count by.
    """

    sums: Sums
    tile_px: int
    ranges: Mapping[str, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of tiles along y and x."""
        height, width = next(iter(self.sums.values())).shape
        return int(height), int(width)

    @classmethod
    def of(
        cls, recon: Complex2D, truth: Complex2D, covered: Mask, phased: Mask | None = None
    ) -> Self:
        """Sum over an aligned pair (h, w), as :func:`standard_metrics` measures it.

        Parameters
        ----------
        recon, truth : ndarray of complex, shape (h, w)
        covered : ndarray of bool, shape (h, w)
            Nothing else counts.
        phased : ndarray of bool, shape (h, w), optional
            Where a phase may be compared at most, as for :func:`standard_metrics`.
        """
        tile_px = max(TILE_PX, -(-max(covered.shape) // MOST_TILES))
        add = _Adding(tile_px)
        phases = PhasePair.of(recon, truth, covered, phased)
        own, wanted = np.abs(recon), np.abs(truth)
        own = own * amplitude_factor(own, wanted, covered)
        unit = float(wanted[covered].max())
        ranges = {"amplitude": measures.value_range(wanted, covered, unit), "phase": 0.0}
        add.errors("amplitude", np.abs(own - wanted), (own - wanted) ** 2, covered)
        add.moments("amplitude", own, wanted, covered)
        add.similarity("amplitude", own, wanted, covered, ranges["amplitude"], has_zero=True)
        error = np.abs(measures.phase_difference(recon, truth))
        defined, expected = phases.defined, phases.expected
        lost = expected & ~defined
        of_phases = (np.where(lost, np.pi / 2, error), np.where(lost, np.pi**2 / 3, error**2))
        add.errors("phase", *of_phases, expected)
        if not phases.why_none:
            ranges["phase"] = measures.value_range(phases.truth, defined, 1.0)
            pair = phases.recon, phases.truth, defined
            add.moments("phase", *pair)
            add.similarity("phase", *pair, ranges["phase"], has_zero=False)
        add.field(recon, truth, covered)
        return cls(add.sums, tile_px, ranges)


class _Adding:
    def __init__(self, tile_px: int) -> None:
        self.sums: dict[str, NDArray[np.float64]] = {}
        self._tile_px = tile_px
        self._n_tiles: tuple[int, ...] = ()

    def put(self, name: str, values: NDArray[Any], tile_px: float | None = None) -> None:
        """Sum *values* (h, w) tile by tile; smaller tiles are those of a coarser scale."""
        side = self._tile_px if tile_px is None else tile_px
        whole = np.asarray(values, np.float64)
        for axis, length in enumerate(values.shape):
            place = (np.arange(length) / side).astype(np.int64)
            tiles, first = np.unique(place, return_index=True)
            summed = np.add.reduceat(whole, first, axis=axis)
            # Of a coarse scale there may be fewer pixels than tiles.
            n_tiles = self._n_tiles[axis] if self._n_tiles else len(tiles)
            inside = tiles < n_tiles
            whole = np.zeros(
                [n_tiles if axis == each else n for each, n in enumerate(summed.shape)]
            )
            whole[_at(axis, tiles[inside])] = summed[_at(axis, np.flatnonzero(inside))]
        self._n_tiles = self._n_tiles or whole.shape
        self.sums[name] = whole

    def errors(self, part: str, absolute: Image, squared: Image, counted: Mask) -> None:
        self.put(f"{part}.n", counted)
        self.put(f"{part}.absolute", np.where(counted, absolute, 0.0))
        self.put(f"{part}.squared", np.where(counted, squared, 0.0))

    def moments(self, part: str, own: Image, wanted: Image, counted: Mask) -> None:
        # Around their means, where sums of squares lose no digits.
        u = np.where(counted, own - own[counted].mean(), 0.0) if counted.any() else own * 0
        v = np.where(counted, wanted - wanted[counted].mean(), 0.0) if counted.any() else u
        products = {"count": counted, "u": u, "v": v, "uu": u * u, "vv": v * v, "uv": u * v}
        for name, values in products.items():
            self.put(f"{part}.{name}", values)

    def field(self, recon: Complex2D, truth: Complex2D, covered: Mask) -> None:
        r, o = (np.where(covered, image, 0).astype(np.complex128) for image in (recon, truth))
        cross = r.conj() * o
        self.put("field.n", covered)
        for name, values in (("r", r), ("o", o), ("cross", cross)):
            self.put(f"field.{name}.re", values.real)
            self.put(f"field.{name}.im", values.imag)
        self.put("field.rr", np.abs(r) ** 2)
        self.put("field.oo", np.abs(o) ** 2)

    def similarity(
        self,
        part: str,
        own: Image,
        wanted: Image,
        covered: Mask,
        data_range: float,
        *,
        has_zero: bool,
    ) -> None:
        """Local similarities where whole windows are covered, at each scale."""
        if data_range == 0:
            return
        for scale, windows in enumerate(measures.wang_scales(covered)):
            full, structure = local_similarity(own, wanted, data_range)
            side = self._tile_px / 2**scale
            self.put(f"{part}.windows{scale}", windows, side)
            self.put(f"{part}.structure{scale}", np.where(windows, structure, 0.0), side)
            if has_zero:
                self.put(f"{part}.full{scale}", np.where(windows, full, 0.0), side)
            own, wanted = measures.halved(own), measures.halved(wanted)


def _at(axis: int, chosen: NDArray[np.int64]) -> tuple[Any, ...]:
    return (chosen,) if axis == 0 else (slice(None), chosen)


def local_similarity(
    recon: Image, truth: Image, data_range: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the local SSIM (h, w), and its part without luminance, from one set of moments.

    Source: Wang et al., IEEE Trans. Image Process. 13, 600 (2004), doi:10.1109/TIP.2003.819861;
    windows as in scikit-image.
    """
    x, y = truth.astype(np.float64), recon.astype(np.float64)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(
            gaussian_filter(values, measures.WANG_SIGMA_PX, truncate=_TRUNCATE, mode="reflect")
        )

    ux, uy = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - ux * ux, mean(y * y) - uy * uy, mean(x * y) - ux * uy
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    structure = (2 * vxy + c2) / (vx + vy + c2)
    return structure * (2 * ux * uy + c1) / (ux * ux + uy * uy + c1), structure

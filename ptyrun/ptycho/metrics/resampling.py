"""How sure are metrics, and differences of metrics? A bootstrap of blocks of the image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics.products import product
from ptyrun.ptycho.metrics.tiles import Tiles, coarsest_window_px, similarities

SEED = 1989
N_RESAMPLES = 1000
CONFIDENCE = 0.95
# Correlation of the errors of tiles that is called none.
UNCORRELATED = 0.2
# Of fewer blocks nothing can be resampled.
FEWEST_BLOCKS = 9
OF_SCALES = "ms_ssim."

Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Blocks:
    r"""Which squares of tiles each resample holds, and how often.

    Attributes
    ----------
    counts : ndarray of float64, shape (B, ty, tx)
        How often each resample holds the block that begins at each tile.
    side_tiles : int
        Side of a block, in tiles.
    tile_px : int
        Side of a tile, in pixels.
    n_blocks : int
        How many blocks a resample has.

    Notes
    -----
    Neighbouring pixels have errors in common, so that single ones would give intervals far too
    short: squares of tiles are drawn with replacement, anywhere, going round at the edges, until
    they have the area of the image. Their side is three times that at which errors are no longer
    correlated, where that leaves enough of them.
    Sources: Kuensch, Ann. Stat. 17, 1217 (1989), doi:10.1214/aos/1176347265; Politis and Romano, J.
    Am. Stat. Assoc. 89, 1303 (1994), doi:10.1080/01621459.1994.10476870.
    """

    counts: NDArray[np.float64]
    side_tiles: int
    tile_px: int
    n_blocks: int

    @property
    def side_px(self) -> int:
        """Side of a block in pixels."""
        return self.side_tiles * self.tile_px

    @classmethod
    def drawn(cls, shape: tuple[int, int], side_tiles: int, tile_px: int = 1) -> Blocks:
        """Draw resamples of ty x tx tiles; equal arguments give equal ones.

        Parameters
        ----------
        shape : (int, int)
            (ty, tx).
        side_tiles : int
            Side of a block, in tiles.
        tile_px : int
            Side of a tile, in pixels.

        Returns
        -------
        Blocks
            B resamples.
        """
        height, width = shape
        down, right = min(side_tiles, height), min(side_tiles, width)
        count = max(1, round(height * width / (down * right)))
        generator = np.random.default_rng(SEED)
        n_tiles = height * width
        starts = generator.integers(0, n_tiles, (N_RESAMPLES, count))
        starts += n_tiles * np.arange(N_RESAMPLES)[:, None]
        counts = np.bincount(starts.ravel(), minlength=N_RESAMPLES * n_tiles)
        shaped = counts.reshape(N_RESAMPLES, height, width).astype(np.float64)
        return cls(shaped, side_tiles, tile_px, count)

    @property
    def weights(self) -> Floats:
        """How often each resample holds each tile: (B, ty, tx)."""
        return self._around(self.counts, backwards=True)

    def _around(self, values: Floats, *, backwards: bool = False) -> Floats:
        """Add up the tiles of each block, going round: by where it begins, or where it ends."""
        for axis in (-2, -1):
            side = min(self.side_tiles, values.shape[axis])
            moves = range(0, side) if backwards else range(0, -side, -1)
            values = np.sum([np.roll(values, move, axis) for move in moves], axis=0)
        return values

    def resampled(self, values: Floats) -> Floats:
        """Sum the values of each resample.

        Parameters
        ----------
        values : ndarray of float, shape (ty, tx) or (k, ty, tx)
            One number per tile.

        Returns
        -------
        ndarray of float64, shape (B,) or (k, B)
            One sum per resample.
        """
        blocks = self._around(values)
        flat = blocks.reshape(-1, values.shape[-2] * values.shape[-1])
        found = product(self.counts.reshape(len(self.counts), -1), flat.T)
        return np.asarray(found.T if values.ndim > 2 else found[:, 0])


def correlation_tiles(tiles: Tiles) -> int:
    """Find how many tiles away the errors of the field are no longer correlated, at most a third.

    The error of a tile is the mean of the squared difference of amplitudes and phases.

    Parameters
    ----------
    tiles : Tiles
        Of one image.

    Returns
    -------
    int
        At least 1.
    """
    counts = tiles.sums["amplitude.n"]
    error = tiles.sums["amplitude.squared"] + tiles.sums["phase.squared"]
    known = counts > 0
    if known.sum() < FEWEST_BLOCKS:
        return 1
    mean = np.where(known, error / np.maximum(counts, 1), 0.0)
    away = np.where(known, mean - mean[known].mean(), 0.0)
    most = max(1, min(tiles.shape) // 3)
    variance = float(np.sum(away**2)) / float(known.sum())
    for lag in range(1, most + 1):
        products = [
            (away[lag:] * away[:-lag], known[lag:] & known[:-lag]),
            (away[:, lag:] * away[:, :-lag], known[:, lag:] & known[:, :-lag]),
        ]
        pairs = sum(int(both.sum()) for _, both in products)
        total = sum(float(product[both].sum()) for product, both in products)
        if pairs == 0 or variance == 0 or total / pairs < UNCORRELATED * variance:
            return lag
    return most


def metrics_of(tiles: Tiles, blocks: Blocks | None = None) -> dict[str, Floats]:
    """Give metrics, named as in ``mae.phase``, of each resample (B,); of the image itself (1,).

    Scales, ranges and alignment stay those of the whole image; the factor of the field is fitted
    anew.

    Parameters
    ----------
    tiles : Tiles
        Of one image.
    blocks : Blocks, optional
        Which resamples (default: the image itself).

    Returns
    -------
    dict of str to ndarray of float64, shape (B,) or (1,)
        By metric and component.
    """
    names = list(tiles.sums)
    stacked = np.stack([tiles.sums[name] for name in names])
    found = stacked.sum(axis=(1, 2))[:, None] if blocks is None else blocks.resampled(stacked)
    return figures_of(names, found, tiles)


def figures_of(names: Sequence[str], found: Floats, tiles: Tiles) -> dict[str, Floats]:
    """Give metrics of sums that stand for those of an image.

    Parameters
    ----------
    names : sequence of str
        Of the sums.
    found : ndarray of float64, shape (k, B)
        The sums by name, of each of B images.
    tiles : Tiles
        Of the image; gives the ranges.

    Returns
    -------
    dict of str to ndarray of float64, shape (B,)
        By metric and component.
    """
    sums = dict(zip(names, found, strict=True))
    metrics: dict[str, Floats] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for part in ("amplitude", "phase"):
            metrics |= _of_part(part, sums, tiles.ranges[part])
        metrics |= _of_field(sums)
    return metrics


def _of_part(part: str, sums: Mapping[str, Floats], data_range: float) -> dict[str, Floats]:
    counted = sums[f"{part}.n"]
    found = {f"mae.{part}": sums[f"{part}.absolute"] / counted}
    if f"{part}.uv" not in sums:
        return found
    mse = sums[f"{part}.squared"] / counted
    found[f"psnr.{part}"] = 10 * np.log10(data_range**2 / mse)
    n, u, v = (sums[f"{part}.{name}"] for name in ("count", "u", "v"))
    uu, vv, uv = (sums[f"{part}.{name}"] for name in ("uu", "vv", "uv"))
    covariance, power, wanted = uv - u * v / n, uu - u * u / n, vv - v * v / n
    found[f"contrast_correlation.{part}"] = covariance / np.sqrt(power * wanted)
    found[f"contrast_transfer.{part}"] = covariance / wanted
    own = {
        name.removeprefix(f"{part}."): each
        for name, each in sums.items()
        if name.startswith(f"{part}.")
    }
    found |= {f"{name}.{part}": each for name, each in similarities(own).items()}
    return found


def _of_field(sums: Mapping[str, Floats]) -> dict[str, Floats]:
    n, rr, oo = (sums[f"field.{name}"] for name in ("n", "rr", "oo"))
    r, o, cross = (
        sums[f"field.{name}.re"] + 1j * sums[f"field.{name}.im"] for name in ("r", "o", "cross")
    )
    invariant = 1 - np.abs(cross) ** 2 / (rr * oo)
    covariance = cross - r.conj() * o / n
    norm = np.sqrt((rr - np.abs(r) ** 2 / n) * (oo - np.abs(o) ** 2 / n))
    turn = np.abs(cross) / np.where(cross == 0, 1, cross)
    return {
        "complex_error.value": np.sqrt(np.maximum(invariant, 0.0)),
        "invariant_error.value": np.maximum(invariant, 0.0),
        "coherence.value": np.abs(covariance) / norm,
        "contrast_correlation.value": (turn * covariance).real / norm,
    }


def interval(resampled: NDArray[Any]) -> Interval | None:
    """Give the middle 95 % of resamples (B,); None where they do not say.

    Parameters
    ----------
    resampled : ndarray of float, shape (B,)
        One number per resample.

    Returns
    -------
    Interval, optional
        Its ends, in the unit of the numbers; None where they do not say.
    """
    (found,) = quantiles([resampled], ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return None if found is None else (found[0], found[1])


def quantiles(
    resampled: Sequence[NDArray[Any]], shares: Sequence[float]
) -> list[tuple[float, ...] | None]:
    """Give quantiles of several figures at once.

    Parameters
    ----------
    resampled : sequence of ndarray of float, shape (B,)
        One number per resample, of each figure.
    shares : sequence of float
        Of resamples that lie below.

    Returns
    -------
    list of tuple of float, optional
        In the order given; None where a tenth of the resamples says nothing.
    """
    known = [each[np.isfinite(each)] for each in resampled]
    found: list[tuple[float, ...] | None] = [None] * len(known)
    lengths = [
        len(own) if len(own) >= 0.9 * len(each) else 0
        for own, each in zip(known, resampled, strict=True)
    ]
    for length in {*lengths} - {0}:
        alike = [n for n, each in enumerate(lengths) if each == length]
        ends = np.quantile(np.stack([known[n] for n in alike]), shares, axis=1)
        for n, *each in zip(alike, *ends.tolist(), strict=True):
            found[n] = tuple(each)
    return found


def blocks_for(tiles: list[Tiles], share: float = 1.0, least_px: float = 0.0) -> Blocks | None:
    """Draw the blocks that serve all of several images; None where there are too few.

    Their side is three times that at which errors are no longer correlated, where that leaves
    enough of them: blocks that are not longer than what they are to hold together make too sure.

    Parameters
    ----------
    tiles : list of Tiles
        Of images of one grid.
    share : float
        Of their pixels, those that are compared.
    least_px : float
        The side that a block has at least, as that of the largest window of a figure.

    Returns
    -------
    Blocks, optional
        None where there are too few blocks.
    """
    side = 3 * max(correlation_tiles(each) for each in tiles)
    shape = tiles[0].shape
    known = max(float((each.sums["amplitude.n"] > 0).sum()) for each in tiles)
    covered = min(known, share * shape[0] * shape[1])
    fits = max(1, math.isqrt(int(covered / FEWEST_BLOCKS)))
    least = math.ceil(least_px / tiles[0].tile_px)
    if covered < FEWEST_BLOCKS or least > fits:
        return None
    return Blocks.drawn(shape, min(max(side, least), fits), tiles[0].tile_px)


@dataclass(frozen=True)
class Drawn:
    """Blocks for figures of several images, and larger ones for MS-SSIM, whose windows are large.

    Attributes
    ----------
    blocks : Blocks
        For all other figures.
    of_scales : Blocks, optional
        None where blocks as large as a window of the coarsest scale are too few: what so few
        windows say of chance is far too sure.
    """

    blocks: Blocks
    of_scales: Blocks | None

    @classmethod
    def of(cls, tiles: list[Tiles], share: float = 1.0) -> Drawn | None:
        """Draw both; None where there are too few blocks for any figure.

        Parameters
        ----------
        tiles : list of Tiles
            Of images of one grid.
        share : float
            Of their pixels, those that are compared.

        Returns
        -------
        Drawn, optional
            None where there are too few blocks.
        """
        blocks = blocks_for(tiles, share)
        if blocks is None:
            return None
        window_px = max(coarsest_window_px(each.sums) for each in tiles)
        return cls(blocks, blocks_for(tiles, share, window_px))

    def resampled(self, tiles: Tiles) -> dict[str, Floats]:
        """Give every figure that has enough blocks, of each resample.

        Parameters
        ----------
        tiles : Tiles
            Of one of the images.

        Returns
        -------
        dict of str to ndarray of float64, shape (B,)
            By metric and component.
        """
        figures = metrics_of(tiles, self.blocks)
        of_scales = [name for name in figures if name.startswith(OF_SCALES)]
        if self.of_scales is None:
            return {name: each for name, each in figures.items() if name not in of_scales}
        larger = (
            metrics_of(tiles, self.of_scales)
            if self.of_scales.side_px > self.blocks.side_px
            else figures
        )
        return figures | {name: larger[name] for name in of_scales}

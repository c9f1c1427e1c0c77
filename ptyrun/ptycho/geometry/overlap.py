"""How much do the illuminated discs of a scan overlap? Three metrics, and a bound."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.discs import between_groups, between_images, within_groups
from ptyrun.ptycho.geometry.grouping import Frames, draw_subsample, group_centres_px, nearest_others

METRICS_VERSION = "1.0"
NEIGHBOR_COUNT = 6
PROBE_DIAMETER_PX = 38.4
SUBSAMPLE_SEED = 42

# Upstream draws the seeds of groups with a number of its own, whatever the study's seeds are.
GROUP_SEED = 42

MOST_ACCEPTANCE = 0.10
LEAST_ACCEPTANCE = 1e-6
LEAST_LENGTH_PX = 1e-6

Positions = NDArray[np.float64]


@dataclass(frozen=True)
class OverlapMetrics(Mapping[str, Any]):
    """Overlap of one view of a scan, by field or by name: ``m.n_images_total``, ``dict(m)``.

    As a mapping it holds what is written to ``<split>_metrics.json``, in the order of the file:
    metric 1 only where there are groups of more than one image.

    Attributes
    ----------
    metrics_version : str
        Of the definitions.
    gridsize : int
        g; a group has g^2 images.
    s_img : float
        Fraction of the images that was kept.
    n_groups : int
        Groups asked for.
    neighbor_count : int
        Neighbours that metrics 1 and 2 look at.
    probe_diameter_px : float
        Diameter of the disc that stands for the probe, in pixels.
    rng_seed_subsample : int
        Of the draw of images.
    metric_1_group_based_avg : float, optional
        Mean overlap of a member with its nearest others of its group, 0 to 1.
    metric_2_image_based_avg : float
        Mean overlap of an image with its nearest others, 0 to 1.
    metric_3_group_to_group_avg : float
        Mean overlap of a group with the groups nearer than a diameter, 0 to 1.
    n_images_total, n_images_subsampled, n_unique_images : int
        Images of the scan, those kept, and how many distinct positions these have.
    n_groups_actual : int
        Groups that there are.
    geometry_acceptance_bound, effective_min_acceptance : float
        See :func:`acceptance_bound`.
    """

    metrics_version: str
    gridsize: int
    s_img: float
    n_groups: int
    neighbor_count: int
    probe_diameter_px: float
    rng_seed_subsample: int
    metric_1_group_based_avg: float | None
    metric_2_image_based_avg: float
    metric_3_group_to_group_avg: float
    n_images_total: int
    n_images_subsampled: int
    n_unique_images: int
    n_groups_actual: int
    geometry_acceptance_bound: float
    effective_min_acceptance: float

    def __getitem__(self, name: str) -> Any:
        if name not in set(self):
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        for each in fields(self):
            if getattr(self, each.name) is not None:
                yield each.name

    def __len__(self) -> int:
        return sum(1 for _ in self)


def overlap_metrics(
    positions_px: NDArray[np.floating[Any]],
    *,
    gridsize: int,
    s_img: float,
    n_groups: int,
    neighbor_count: int | None = None,
    probe_diameter_px: float | None = None,
    rng_seed_subsample: int | None = None,
    groups: NDArray[np.integer[Any]] | None = None,
) -> OverlapMetrics:
    """Subsample a scan, group it, and measure how its illuminated discs overlap.

    Parameters
    ----------
    positions_px : ndarray of float, shape (n, 2)
        Positions in pixels, as (y, x) or (x, y).
    gridsize : {1, 2}
        With 1 every image is a group of its own, and *n_groups* has no effect; with 2 a group is
        a position with its three nearest others.
    s_img : float
        Share of the images that is kept, in (0, 1]; see `kept_images`.
    n_groups : int
        Groups that are drawn, with repeats if there are fewer images.
    neighbor_count : int, optional
        K: how many nearest neighbours the first two metrics look at (default: 6). It has no effect
        on the groups.
    probe_diameter_px : float, optional
        D, diameter of the illuminated disc in pixels (default: 38.4).
    rng_seed_subsample : int, optional
        Seed of the subsample (default: 42).
    groups : ndarray of int, shape (G, gridsize**2), optional
        Groups to use instead of drawing them, as rows of the subsampled list.

    Returns
    -------
    OverlapMetrics
        Metric 1: mean over the members of all groups of the mean disc overlap with their K nearest
        other members. Metric 2: mean over distinct positions of the mean disc overlap with their K
        nearest others, however far they are. Metric 3: mean over groups of the mean disc overlap
        with the groups whose centres are nearer than D; 0 for a group without such.

    Raises
    ------
    GeometryError
        If an argument is outside its range, a position is not finite, or fewer images than a group
        needs are left.

    Notes
    -----
    Sources of all definitions: hoidn/PtychoPINN, ``specs/overlap_metrics.md`` and
    ``studies/fly64_dose_overlap/overlap.py``; disc overlap: see `disc_overlap`.
    """
    neighbours = NEIGHBOR_COUNT if neighbor_count is None else neighbor_count
    diameter_px = PROBE_DIAMETER_PX if probe_diameter_px is None else float(probe_diameter_px)
    seed = SUBSAMPLE_SEED if rng_seed_subsample is None else rng_seed_subsample
    positions = _checked_positions(positions_px)
    _require(gridsize in (1, 2), "gridsize", gridsize, "1 or 2")
    _require(0 < s_img <= 1, "s_img", s_img, "above 0 and at most 1")
    _require(n_groups >= 1, "n_groups", n_groups, "1 or more")
    _require(neighbours >= 1, "neighbor_count", neighbours, "1 or more")
    _require(0 < diameter_px < math.inf, "probe_diameter_px", diameter_px, "positive and finite")
    _require(seed >= 0, "rng_seed_subsample", seed, "0 or more")
    kept = positions[kept_images(len(positions), s_img, seed)]
    if groups is None:
        members = overlap_groups(kept, gridsize, n_groups)
    else:
        members = _checked_groups(groups, gridsize, len(kept))
    unique = np.unique(kept, axis=0)
    bound = acceptance_bound(kept, diameter_px)
    return OverlapMetrics(
        metrics_version=METRICS_VERSION,
        gridsize=int(gridsize),
        s_img=float(s_img),
        n_groups=int(n_groups),
        neighbor_count=int(neighbours),
        probe_diameter_px=diameter_px,
        rng_seed_subsample=int(seed),
        metric_1_group_based_avg=(
            None if gridsize == 1 else within_groups(kept[members], neighbours, diameter_px)
        ),
        metric_2_image_based_avg=between_images(unique, neighbours, diameter_px),
        metric_3_group_to_group_avg=between_groups(group_centres_px(kept[members]), diameter_px),
        n_images_total=len(positions),
        n_images_subsampled=len(kept),
        n_unique_images=len(unique),
        n_groups_actual=len(members),
        geometry_acceptance_bound=bound,
        effective_min_acceptance=max(bound, LEAST_ACCEPTANCE),
    )


def kept_images(n_images: int, s_img: float, seed: int) -> Frames:
    """Draw ``round(s_img * n_images)`` images, at least one, without repeats; ascending.

    Half a number is rounded to the even one.

    Parameters
    ----------
    n_images : int
        Images of the scan.
    s_img : float
        Fraction to keep.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray of int64, shape (k,)
        Numbers of images.
    """
    return draw_subsample(n_images, max(1, int(np.round(s_img * n_images))), seed)


def overlap_groups(positions_px: Positions, gridsize: int, n_groups: int) -> Frames:
    """Group positions as the overlap metrics do.

    Not the groups that networks predict (see `grouping.draw_groups`): a seed is in its own group,
    and seeds repeat where more groups than positions are asked for.

    Parameters
    ----------
    positions_px : ndarray of float64, shape (n, 2)
        In pixels.
    gridsize : int
        g; a group has g^2 images.
    n_groups : int
        How many groups.

    Returns
    -------
    ndarray of int64, shape (G, g^2)
        Rows of *positions_px*, the seed of each group first.

    Raises
    ------
    GeometryError
        If there are fewer positions than a group has.
    """
    n_positions, size = len(positions_px), gridsize**2
    if size == 1:
        return np.arange(n_positions)[:, None]
    if n_positions < size:
        raise GeometryError(
            f"{n_positions} images are too few for gridsize {gridsize}",
            why=f"a group has {size} images",
            do="raise s_img, give more positions, or use gridsize 1",
        )
    generator = np.random.default_rng(GROUP_SEED)
    seeds = generator.choice(n_positions, n_groups, replace=n_groups > n_positions)
    return np.column_stack([seeds, nearest_others(positions_px, seeds, size - 1)])


def acceptance_bound(positions_px: Positions, diameter_px: float) -> float:
    """Fraction of the bounding box that one disc would fill if all lay side by side, at most 0.1.

    The floor that views are held to is this, at least 1e-6.

    Parameters
    ----------
    positions_px : ndarray of float64, shape (n, 2)
        In pixels.
    diameter_px : float
        Of the disc, in pixels.

    Returns
    -------
    float
        0 without positions.
    """
    if not len(positions_px):
        return 0.0
    area = max(float(np.prod(np.ptp(positions_px, axis=0))), LEAST_LENGTH_PX)
    disc = math.pi * (max(diameter_px, LEAST_LENGTH_PX) / 2) ** 2
    return min(area / max(len(positions_px) * disc, LEAST_LENGTH_PX), MOST_ACCEPTANCE)


def _checked_positions(positions_px: NDArray[np.floating[Any]]) -> Positions:
    positions = np.asarray(positions_px)
    if positions.ndim != 2 or positions.shape[-1] != 2 or positions.dtype.kind not in "fiu":
        found = f"{positions.dtype} of shape {positions.shape}"
    elif not len(positions):
        found = "no position"
    elif not np.isfinite(positions).all():
        found = f"{int((~np.isfinite(positions)).sum())} coordinates that are not finite"
    else:
        return positions.astype(np.float64)
    raise GeometryError(
        "the overlap of these positions cannot be measured",
        why=f"they are {found}, not finite numbers of shape (n, 2)",
        do="give one (y, x) in pixels per image",
    )


def _checked_groups(groups: NDArray[np.integer[Any]], gridsize: int, n_kept: int) -> Frames:
    members = np.asarray(groups)
    if members.ndim != 2 or members.dtype.kind not in "iu" or members.shape[1] != gridsize**2:
        found = f"they are {members.dtype} of shape {members.shape}"
    elif not len(members) or members.min() < 0 or members.max() >= n_kept:
        found = f"they are {len(members)} groups of other rows than 0 to {n_kept - 1}"
    else:
        return members.astype(np.int64)
    raise GeometryError(
        "these groups do not belong to the images that are kept",
        why=f"{found}; gridsize {gridsize} needs integer rows of shape (G, {gridsize**2})",
        do="give groups as rows of the subsampled list, or none to have them drawn",
    )


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise GeometryError(
            f"invalid {name}: {value}", why=f"it must be {allowed}", do=f"correct {name}"
        )

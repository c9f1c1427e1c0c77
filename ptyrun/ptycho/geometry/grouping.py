"""Which frames are predicted together? Groups of neighbouring positions, drawn once per run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ptyrun.errors import GeometryError, InputError
from ptyrun.ptycho.geometry.group_table import GroupTable
from ptyrun.ptycho.readers.npz import NpzFile

# How many more neighbours than needed are looked at, so that ties are broken by index.
SPARE_NEIGHBOURS = 9

SEEDS_AT_ONCE = 1 << 14
FRAMES_AT_ONCE = 1 << 9

# Distances that differ by less are equal: a raster's spacings differ in their last bits.
TIE_PX = 1e-6

Frames = NDArray[np.int64]


def draw_subsample(n_frames: int, n_subsample: int, seed: int) -> Frames:
    """Draw frames without replacement, ascending; all of them when fewer are there.

    Parameters
    ----------
    n_frames : int
        Frames of the scan.
    n_subsample : int
        How many to draw.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray of int64, shape (k,)
        Numbers of frames.
    """
    if n_subsample >= n_frames:
        return np.arange(n_frames)
    drawn = np.random.default_rng(seed).choice(n_frames, n_subsample, replace=False)
    return np.sort(drawn).astype(np.int64)


def draw_groups(
    positions_px: NDArray[np.float64],
    gridsize: int,
    n_groups: int | None = None,
    neighbor_count: int = 7,
    seed: int = 123,
    candidates: NDArray[np.integer[Any]] | None = None,
) -> Frames:
    """Draw one group per position: C of its K nearest others, the position itself never.

    Parameters
    ----------
    positions_px : ndarray, shape (n, 2)
        Positions as (y, x) in pixels.
    gridsize : int
        g; a group has C = g^2 frames. With g = 1 a group is the position itself.
    n_groups : int, optional
        Draw that many positions first and make groups of those alone; all when None or more
        than there are.
    neighbor_count : int
        K.
    seed : int
        Of the one generator for the whole run.
    candidates : ndarray of int, shape (k,), optional
        The frames that may be used at all (a subsample); all when None.

    Returns
    -------
    ndarray of int64, shape (G, C)
        Indices into *positions_px*. Equal arguments give equal groups, also on a raster, where
        many distances are the same: ties go to the smaller index.

    Raises
    ------
    GeometryError
        If a group needs more neighbours than K, or than there are.
    """
    allowed = (
        np.arange(len(positions_px))
        if candidates is None
        else np.unique(np.asarray(candidates, np.int64))
    )
    group_frames = gridsize**2
    generator = np.random.default_rng(seed)
    is_drawn = n_groups is not None and n_groups < len(allowed)
    if group_frames == 1 and not is_drawn:
        return allowed[:, None]
    seeds = (
        np.sort(generator.choice(len(allowed), n_groups, replace=False))
        if is_drawn
        else np.arange(len(allowed))
    )
    if group_frames == 1:
        return allowed[seeds][:, None]
    _check_group(group_frames, neighbor_count, len(allowed))
    places = positions_px if len(allowed) == len(positions_px) else positions_px[allowed]
    groups = np.empty((len(seeds), group_frames), np.int64)
    # Block by block the generator gives the same as for all groups at once.
    for part, neighbours in _nearest_in_parts(places, seeds, neighbor_count):
        chosen = generator.permuted(neighbours, axis=1)[:, :group_frames]
        groups[part] = allowed[chosen]
    return groups


def nearest_others(
    positions_px: NDArray[np.float64], seeds: NDArray[np.integer[Any]], neighbor_count: int
) -> Frames:
    """Find the *neighbor_count* nearest other positions of each seed, nearest first.

    Ties go to the smaller index.

    Parameters
    ----------
    positions_px : ndarray of float64, shape (n, 2)
        (y, x) of each frame, in pixels.
    seeds : ndarray of int, shape (G,)
        Frames whose neighbours are asked for.
    neighbor_count : int
        K.

    Returns
    -------
    ndarray of int64, shape (G, K)
        Numbers of frames.
    """
    found = np.empty((len(seeds), min(neighbor_count, len(positions_px) - 1)), np.int64)
    for part, neighbours in _nearest_in_parts(positions_px, seeds, neighbor_count):
        found[part] = neighbours
    return found


def nearest_other(
    positions_px: NDArray[np.float64], among: NDArray[np.bool_], seeds: Frames
) -> Frames:
    """Find the nearest other position of a few frames, without a tree of all.

    Ties go to the smaller index.

    Parameters
    ----------
    positions_px : ndarray of float64, shape (n, 2)
        (y, x) of each frame, in pixels.
    among : ndarray of bool, shape (n,)
        Which frames may be the nearest.
    seeds : ndarray of int64, shape (s,)
        Frames whose nearest other one is asked for.

    Returns
    -------
    ndarray of int64, shape (s,)
        Numbers of frames.
    """
    here = positions_px[seeds]
    nearest, least = np.empty(len(seeds), np.int64), np.full(len(seeds), np.inf)
    for first in range(0, len(among), FRAMES_AT_ONCE):
        frames = first + np.flatnonzero(among[first : first + FRAMES_AT_ONCE])
        if not len(frames):
            continue
        dy, dx = (here[:, None] - positions_px[frames]).transpose(2, 0, 1)
        rank = np.rint(np.sqrt(dy * dy + dx * dx) / TIE_PX)
        rank[frames == seeds[:, None]] = np.inf
        best = rank.argmin(axis=1)
        found = np.take_along_axis(rank, best[:, None], axis=1)[:, 0]
        nearer = found < least
        nearest[nearer], least[nearer] = frames[best[nearer]], found[nearer]
    return nearest


def _nearest_in_parts(
    positions_px: NDArray[np.float64], seeds: NDArray[np.integer[Any]], neighbor_count: int
) -> Iterator[tuple[slice, Frames]]:
    """Yield neighbours as `nearest_others` gives them, seeds by seeds: bounds memory."""
    count = min(neighbor_count, len(positions_px) - 1)
    tree = KDTree(positions_px)
    for first in range(0, len(seeds), SEEDS_AT_ONCE):
        part = slice(first, min(first + SEEDS_AT_ONCE, len(seeds)))
        yield part, _nearest(tree, seeds[part], count)


def _nearest(tree: KDTree, seeds: NDArray[np.integer[Any]], count: int) -> Frames:
    reach = min(tree.n, count + 1 + SPARE_NEIGHBOURS)
    distances, indices = tree.query(tree.data[seeds], k=reach)
    rank = np.where(indices == seeds[:, None], np.inf, np.rint(distances / TIE_PX))
    order = np.lexsort((indices, rank), axis=1)
    return np.take_along_axis(indices, order, axis=1)[:, :count].astype(np.int64)


def read_groups(path: Path, n_frames: int) -> Frames:
    """Read the groups of an earlier run from an NPZ: ``nn_indices`` (G, C).

    Where the file also holds ``sample_indices`` (k,), the groups count within that sample.

    Parameters
    ----------
    path : Path
        The NPZ.
    n_frames : int
        Frames of the scan.

    Returns
    -------
    ndarray of int64, shape (G, C)
        Numbers of the scan's frames.

    Raises
    ------
    InputError
        If there is no such table, or it names frames that the scan does not have.
    """
    file = NpzFile(path)
    groups = file.array("nn_indices")
    if groups.ndim != 2 or groups.dtype.kind not in "iu":
        raise InputError(
            f"nn_indices of {path} is not a table of groups",
            why=f"it is {groups.dtype} of shape {groups.shape}, not integer of shape (G, C)",
            do="give the file of a run that stored its groups",
        )
    if groups.size == 0:
        raise InputError(
            f"nn_indices of {path} holds no group",
            why=f"its shape is {groups.shape}",
            do="give the file of a run that stored its groups",
        )
    sample = file.array("sample_indices") if "sample_indices" in file else np.arange(n_frames)
    for table, limit in ((groups, len(sample)), (sample, n_frames)):
        if table.min() < 0 or table.max() >= limit:
            culprit = table.min() if table.min() < 0 else table.max()
            raise InputError(
                f"the groups of {path} do not belong to this scan",
                why=f"they name frame {culprit} of {limit}",
                do="give the scan that they were made for",
            )
    return np.asarray(sample.astype(np.int64)[groups])


def single_frames(
    frames: GroupTable, n_frames: int
) -> tuple[GroupTable, NDArray[np.unsignedinteger[Any]]]:
    """Each frame of a selection once, in the order in which groups name them, and how often.

    What the first groups give is the beginning of what all groups give, so that a run of the first
    groups can be taken over by one of all.

    Parameters
    ----------
    frames : GroupTable
        The groups (G, C).
    n_frames : int
        Frames of the scan.

    Returns
    -------
    GroupTable
        The frames (F, 1); *frames* itself where it holds each of its frames once, alone.
    ndarray of unsigned int, shape (n_frames,)
        How often each frame of the scan occurs, in the smallest type that holds it.
    """
    counts = np.zeros(n_frames, np.int32)
    fresh = []
    for start in range(0, len(frames), SEEDS_AT_ONCE):
        block = frames[start : start + SEEDS_AT_ONCE]
        unique, first, often = np.unique(block, return_index=True, return_counts=True)
        is_new = counts[unique] == 0
        counts[unique] += often.astype(np.int32)
        fresh.append(unique[is_new][np.argsort(first[is_new])])
    compact = counts.astype(np.min_scalar_type(counts.max(initial=0)))
    if frames.shape[1] == 1 and sum(map(len, fresh)) == len(frames):
        return frames, compact
    return np.concatenate(fresh)[:, None], compact


def group_centres_px(members_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the mean position of each group.

    Parameters
    ----------
    members_px : ndarray of float64, shape (G, C, 2)
        Positions of the members, in pixels.

    Returns
    -------
    ndarray of float64, shape (G, 2)
        In pixels.
    """
    return np.asarray(members_px.mean(axis=1))


def local_offsets_px(members_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offsets in the layout that networks take: (G, 1, 2, C), axis 2 = [x, y].

    Channel c holds -(r_c - mean of the group).

    Parameters
    ----------
    members_px : ndarray of float64, shape (G, C, 2)
        (y, x) of each member of each group, in pixels.

    Returns
    -------
    ndarray of float64, shape (G, 1, 2, C)
        In pixels.
    """
    offsets = -(members_px - members_px.mean(axis=1, keepdims=True))
    return np.ascontiguousarray(offsets[:, None, :, ::-1].transpose(0, 1, 3, 2))


def _check_group(group_frames: int, neighbor_count: int, n_positions: int) -> None:
    if group_frames > neighbor_count:
        raise GeometryError(
            f"a group of {group_frames} cannot be drawn from {neighbor_count} neighbours",
            why="the neighbour count is smaller than the square of the gridsize",
            do=f"ask for {group_frames} neighbours or more",
        )
    if group_frames > n_positions - 1:
        raise GeometryError(
            f"{n_positions} positions are too few for groups of {group_frames}",
            why="a group is drawn from the other positions",
            do=f"give a scan of {group_frames + 1} positions or more",
        )

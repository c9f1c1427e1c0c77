"""Which frames make which group of which arm, and where does each patch lie?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.kept import Finding
from ptyrun.comparison.model_facts import ModelFacts
from ptyrun.comparison.sources import Sources
from ptyrun.config import ArmKind, Selection
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.index_arrays import IndexArray, open_index, write_index
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.rows import ComputedRows, RememberedRows, Rows, parts
from ptyrun.errors import DamageError, GeometryError
from ptyrun.host import memory
from ptyrun.paths import RunPaths
from ptyrun.ptycho.geometry import grouping
from ptyrun.ptycho.geometry.group_table import EveryFrame, GroupTable, frame_dtype
from ptyrun.ptycho.geometry.normalisation import normalisation_factor
from ptyrun.ptycho.geometry.placement import extremes
from ptyrun.ptycho.readers.opening import Scan

Frames = NDArray[np.integer[Any]]
Positions = NDArray[np.float64]


@dataclass(frozen=True)
class ArmIndex:
    """One arm's group table, of which rows are asked for: it need not fit into memory.

    Attributes
    ----------
    frames : Rows of int64, shape (G, C)
        Indices into the scan.
    positions_px : Rows of float64, shape (G, C, 2)
        (y, x) of every member in object pixels.
    multiplicity : Rows of int64, shape (G,)
        How often the selection holds this group: the weight of its patch; 0 where one of its
        frames has no signal.
    normalisation : ndarray of float64, shape (1,)
        Factor from amplitudes to the networks' input, one for the whole selection.
    """

    frames: Rows
    positions_px: Rows
    multiplicity: Rows
    normalisation: NDArray[np.float64]

    @cached_property
    def centres_px(self) -> Rows:
        """Where each group's patch is laid, (G, 2), (y, x)."""
        return RememberedRows(
            ComputedRows(
                (len(self.frames), 2),
                np.dtype(np.float64),
                lambda part: grouping.group_centres_px(self.positions_px[part]),
            )
        )

    def tables(self, arm: str) -> list[IndexArray]:
        """As the store keeps them, for the arm of that name."""
        index = f"index/{arm}"
        return [
            IndexArray(f"{index}/frames", self.frames, ("group", "member")),
            IndexArray(
                f"{index}/positions_px", self.positions_px, ("group", "member", "axis"), "px"
            ),
            IndexArray(f"{index}/multiplicity", self.multiplicity, ("group",)),
            IndexArray(f"{index}/normalisation", self.normalisation, ("selection",)),
            IndexArray(f"{arm}/positions_px", self.centres_px, ("group", "axis"), "px"),
        ]

    def bounds_px(self, *, of_centres: bool = False) -> Positions:
        """Least and greatest (y, x), (2, 2), of the members of groups that weigh anything."""
        places = self.centres_px if of_centres else self.positions_px
        found = np.empty((0, 2))
        for part in parts(len(self.frames)):
            weighing = places[part][self.multiplicity[part] > 0].reshape(-1, 2)
            found = extremes(np.concatenate([found, weighing]))
        return found

    @classmethod
    def read(cls, paths: RunPaths, arm: ArmPlan) -> ArmIndex:
        """Read an arm's table and hold it against the manifest's digests.

        Raises
        ------
        DamageError
            If a table is missing or not the one that was planned.
        """

        def table(name: str) -> Rows:
            path = f"index/{arm.name}/{name}"
            return RememberedRows(open_index(paths, path, arm.index_sha256[path]))

        return cls(
            frames=table("frames"),
            positions_px=table("positions_px"),
            multiplicity=table("multiplicity"),
            normalisation=table("normalisation")[:],
        )


@dataclass(frozen=True)
class Reference:
    """The groups of the selection, from which every arm's table is derived.

    ``dark`` numbers the frames without signal; a group with one of them weighs nothing.
    """

    frames: GroupTable
    normalisation: float
    dark: Frames = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def gridsize(self) -> int:
        """Channels of a group are gridsize squared."""
        return math.isqrt(self.frames.shape[1])

    def finding(self) -> Finding:
        """As it is kept until the plan stands."""
        facts, arrays = {"normalisation": self.normalisation}, {"dark": self.dark}
        if isinstance(self.frames, EveryFrame):
            return Finding({**facts, "every_frame": len(self.frames)}, arrays)
        return Finding(facts, {**arrays, "frames": self.frames[:]})

    @classmethod
    def of(cls, found: Finding) -> Reference:
        """Read back what :meth:`finding` gave."""
        facts, arrays = found.facts, found.arrays
        every = facts.get("every_frame")
        frames = arrays["frames"] if every is None else EveryFrame(int(every))
        return cls(frames, float(facts["normalisation"]), arrays["dark"])


def reference(
    scan: Scan, selection: Selection, gridsize: int, groups_from: Path | None = None
) -> Reference:
    """Draw or read the selection's groups and find their common normalisation.

    Parameters
    ----------
    scan : Scan
        All its frames are read once.
    selection : Selection
    gridsize : int
        Of the groups that are drawn: the largest among the arms.
    groups_from : Path, optional
        NPZ whose ``nn_indices`` (G, C) are taken in place of drawing.

    Raises
    ------
    GeometryError
        If there are fewer positions than a group needs.
    """
    candidates = None
    if selection.n_subsample is not None:
        candidates = grouping.draw_subsample(
            scan.n_frames, selection.n_subsample, selection.subsample_seed
        )
    dark = scan.survey.dark
    if selection.leave_out_dark:
        kept = np.arange(scan.n_frames) if candidates is None else candidates
        candidates = np.setdiff1d(kept, dark)
    frames = _groups(scan, selection, gridsize, candidates, groups_from)
    memory.give_back()
    lit = _lit(frames, dark)
    if not lit.any():
        raise GeometryError(
            "no group of the selection has a signal in each of its frames",
            why=f"{len(dark)} of {scan.n_frames} frames hold none",
            do="select other frames, or use --leave-out-dark",
        )
    factor = normalisation_factor(
        scan.energies(), frames if lit.all() else frames[:][lit], scan.patch_px
    )
    return Reference(frames=frames, normalisation=factor, dark=dark)


def _groups(
    scan: Scan,
    selection: Selection,
    gridsize: int,
    candidates: NDArray[np.int64] | None,
    groups_from: Path | None,
) -> GroupTable:
    if groups_from is not None:
        given = _given_groups(groups_from, scan, gridsize)[: selection.n_groups]
        return given.astype(frame_dtype(scan.n_frames))
    draws_all = selection.n_groups is None or selection.n_groups >= scan.n_frames
    if gridsize == 1 and draws_all and candidates is None:
        return EveryFrame(scan.n_frames)
    drawn = grouping.draw_groups(
        scan.positions_px,
        gridsize,
        n_groups=selection.n_groups,
        neighbor_count=selection.neighbor_count,
        seed=selection.grouping_seed,
        candidates=candidates,
    )
    return drawn.astype(frame_dtype(scan.n_frames))


def arm_index(
    scan: Scan, selected: Reference, gridsize: int, limit_groups: int | None = None
) -> ArmIndex:
    """Derive one arm's table: the selection's groups, or each of their frames once.

    Parameters
    ----------
    scan : Scan
    selected : Reference
    gridsize : int
        The arm's: 1, or the selection's.
    limit_groups : int, optional
        Only the first groups of the selection.

    Raises
    ------
    GeometryError
        If the arm's gridsize is neither 1 nor the selection's.
    """
    frames = selected.frames
    if limit_groups is not None and limit_groups < len(frames):
        frames = frames[:limit_groups]
    counts: NDArray[np.unsignedinteger[Any]] = np.ones(0, np.uint8)
    if gridsize == 1:
        frames, counts = grouping.single_frames(frames, scan.n_frames)
    elif gridsize != selected.gridsize:
        raise GeometryError(
            f"an arm of gridsize {gridsize} cannot use groups of gridsize {selected.gridsize}",
            why="a run has one gridsize above 1; beside it, only gridsize 1 can be compared",
            do="compare arms of other gridsizes above 1 in separate runs",
        )

    def multiplicity(part: slice) -> NDArray[np.int64]:
        own = frames[part]
        often = counts[own[:, 0]] if gridsize == 1 else np.ones(len(own))
        return np.where(_lit(own, selected.dark), often, 0).astype(np.int64)

    n_groups, members = frames.shape
    return ArmIndex(
        frames=ComputedRows(
            frames.shape, np.dtype(np.int64), lambda part: frames[part].astype(np.int64)
        ),
        positions_px=ComputedRows(
            (n_groups, members, 2),
            np.dtype(np.float64),
            lambda part: scan.positions_px[frames[part]],
        ),
        multiplicity=ComputedRows((n_groups,), np.dtype(np.int64), multiplicity),
        normalisation=np.array([selected.normalisation]),
    )


def _lit(frames: GroupTable, dark: Frames) -> NDArray[np.bool_]:
    """Tell which groups have a signal in each of their frames."""
    found = np.empty(len(frames), np.bool_)
    for part in parts(len(frames)):
        found[part] = ~np.isin(frames[part], dark).any(axis=1)
    return found


def planned_reference(scan: Scan, manifest: Manifest) -> Reference:
    """The selection's groups, as the facts of a manifest decide them."""
    selection = Selection.from_facts(manifest.shared)
    gridsize = int(manifest.shared["selection_gridsize"] or 1)
    return reference(scan, selection, gridsize, Sources.of(manifest).groups_from)


def planned_tables(scan: Scan, manifest: Manifest, selected: Reference) -> dict[str, ArmIndex]:
    """Every predictor arm's table, as the facts of a manifest decide it."""
    tables = {}
    for arm in manifest.arms:
        if arm.kind == ArmKind.PREDICTOR:
            model = ModelFacts.of(arm)
            tables[arm.name] = arm_index(scan, selected, model.gridsize, model.limit_groups)
    return tables


def restore(paths: RunPaths, scan: Scan, manifest: Manifest) -> None:
    """Write the tables again, as the manifest names them.

    Raises
    ------
    DamageError
        If these facts no longer give the same tables.
    """
    tables = planned_tables(scan, manifest, planned_reference(scan, manifest))
    for arm in manifest.arms:
        entries = tables[arm.name].tables(arm.name) if arm.name in tables else []
        if {entry.path: entry.sha256 for entry in entries} != dict(arm.index_sha256):
            raise DamageError(
                f"the group tables of arm {arm.name!r} cannot be reproduced",
                why="the scan, ptyrun or one of its libraries gives other groups for the same seed",
                do="restore arrays.zarr/index from a copy, or start over with --new",
            )
    write(paths, tables)


def write(paths: RunPaths, tables: Mapping[str, ArmIndex]) -> None:
    """Write the tables of arms by name, over what was there."""
    for name, table in tables.items():
        for entry in table.tables(name):
            write_index(paths, entry)


def _given_groups(path: Path, scan: Scan, gridsize: int) -> Frames:
    frames = grouping.read_groups(path, scan.n_frames)
    if frames.shape[1] != gridsize**2:
        raise GeometryError(
            f"the groups in {path} have {frames.shape[1]} members",
            why=f"gridsize {gridsize} needs {gridsize**2}",
            do="give the groups of a run with this gridsize",
        )
    return frames

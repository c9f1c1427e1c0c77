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
from ptyrun.engine.index_arrays import IndexArray, read_index, write_index
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import DamageError, GeometryError
from ptyrun.paths import RunPaths
from ptyrun.ptycho.geometry import grouping
from ptyrun.ptycho.geometry.normalisation import normalisation_factor
from ptyrun.ptycho.readers.opening import Scan

Frames = NDArray[np.int64]
Positions = NDArray[np.float64]


@dataclass(frozen=True)
class ArmIndex:
    """One arm's group table.

    Attributes
    ----------
    frames : ndarray of int64, shape (G, C)
        Indices into the scan.
    positions_px : ndarray of float64, shape (G, C, 2)
        (y, x) of every member in object pixels.
    multiplicity : ndarray of int64, shape (G,)
        How often the selection holds this group: the weight of its patch; 0 where one of its
        frames has no signal.
    normalisation : ndarray of float64, shape (1,)
        Factor from amplitudes to the networks' input, one for the whole selection.
    """

    frames: Frames
    positions_px: Positions
    multiplicity: NDArray[np.int64]
    normalisation: NDArray[np.float64]

    @cached_property
    def centres_px(self) -> Positions:
        """Where each group's patch is laid, (G, 2), (y, x)."""
        return grouping.group_centres_px(self.positions_px)

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

    @classmethod
    def read(cls, paths: RunPaths, arm: ArmPlan) -> ArmIndex:
        """Read an arm's table and hold it against the manifest's digests.

        Raises
        ------
        DamageError
            If a table is missing or not the one that was planned.
        """

        def table(name: str) -> NDArray[Any]:
            path = f"index/{arm.name}/{name}"
            return read_index(paths, path, arm.index_sha256[path])

        return cls(
            frames=table("frames"),
            positions_px=table("positions_px"),
            multiplicity=table("multiplicity"),
            normalisation=table("normalisation"),
        )


@dataclass(frozen=True)
class Reference:
    """The groups of the selection, from which every arm's table is derived.

    ``dark`` numbers the frames without signal; a group with one of them weighs nothing.
    """

    frames: Frames
    normalisation: float
    dark: Frames = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def gridsize(self) -> int:
        """Channels of a group are gridsize squared."""
        return math.isqrt(self.frames.shape[1])

    def finding(self) -> Finding:
        """As it is kept until the plan stands."""
        arrays = {"frames": self.frames, "dark": self.dark}
        return Finding({"normalisation": self.normalisation}, arrays)

    @classmethod
    def of(cls, found: Finding) -> Reference:
        """Read back what :meth:`finding` gave."""
        arrays = found.arrays
        return cls(arrays["frames"], float(found.facts["normalisation"]), arrays["dark"])


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
    if groups_from is None:
        frames = grouping.draw_groups(
            scan.positions_px,
            gridsize,
            n_groups=selection.n_groups,
            neighbor_count=selection.neighbor_count,
            seed=selection.grouping_seed,
            candidates=candidates,
        )
    else:
        frames = _given_groups(groups_from, scan, gridsize)[: selection.n_groups]
    lit = ~np.isin(frames, dark).any(axis=1)
    if not lit.any():
        raise GeometryError(
            "no group of the selection has a signal in each of its frames",
            why=f"{len(dark)} of {scan.n_frames} frames hold none",
            do="select other frames, or use --leave-out-dark",
        )
    factor = normalisation_factor(scan.energies(), frames[lit], scan.patch_px)
    return Reference(frames=frames, normalisation=factor, dark=dark)


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
    frames = selected.frames[:limit_groups]
    multiplicity = np.ones(len(frames), dtype=np.int64)
    if gridsize == 1:
        frames, multiplicity = grouping.single_frames(frames)
    elif gridsize != selected.gridsize:
        raise GeometryError(
            f"an arm of gridsize {gridsize} cannot use groups of gridsize {selected.gridsize}",
            why="a run has one gridsize above 1; beside it, only gridsize 1 can be compared",
            do="compare arms of other gridsizes above 1 in separate runs",
        )
    multiplicity = np.where(np.isin(frames, selected.dark).any(axis=1), 0, multiplicity)
    return ArmIndex(
        frames=np.ascontiguousarray(frames, dtype=np.int64),
        positions_px=scan.positions_px[frames],
        multiplicity=np.ascontiguousarray(multiplicity, dtype=np.int64),
        normalisation=np.array([selected.normalisation]),
    )


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

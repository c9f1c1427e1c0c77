"""What object do an arm's committed patches make?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

from ptyrun.config import Alignment, ArmKind, EvaluationOptions
from ptyrun.engine import batches, store
from ptyrun.engine.ledger import read_records
from ptyrun.engine.manifest import ArmPlan, Manifest
from ptyrun.engine.progress import ArmProgress, Progress
from ptyrun.engine.records import Committed
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher
from ptyrun.ptycho.belonging import Placement, place
from ptyrun.ptycho.placement import Region, scanned_region
from ptyrun.ptycho.reconstruction import open_reconstruction
from ptyrun.ptycho.scan import Scan, open_scan
from ptyrun.ptycho.stitching import Stitcher, central, object_shape, reassemble_upstream
from ptyrun.stages import gates
from ptyrun.stages.gates import Hole
from ptyrun.stages.index import ArmIndex


@dataclass(frozen=True)
class ArmObject:
    """One arm's object on the object's own grid.

    Attributes
    ----------
    image : ndarray of complex64, shape (H, W)
        Zero where nothing lies.
    coverage : ndarray of float64, shape (H, W)
        Sum of the weights; 1 where a finished reconstruction lies.
    n_groups : int
        How many patches were laid.
    hole : Hole, optional
        Where patches that carry nothing leave a hole; None in a finished reconstruction.
    figures : Figures
        DIAGNOSTIC figures of all patches, or of the reconstruction.
    canvas : ndarray of complex64, shape (h, w)
        The object as upstream would stitch it; the image itself unless that was asked for.
    computation_time_s : float, optional
        What predicting, or reconstructing, took.
    notes : tuple of str
        What was assumed.
    placement : Placement, optional
        Of a finished reconstruction: how it was laid on the grid, and whether frames agree.
    """

    image: NDArray[np.complex64]
    coverage: NDArray[np.float64]
    n_groups: int
    figures: gates.Figures
    canvas: NDArray[np.complex64]
    computation_time_s: float | None
    notes: tuple[str, ...] = ()
    hole: Hole | None = None
    placement: Placement | None = None


def open_planned_scan(manifest: Manifest, paths: RunPaths) -> Scan:
    """Open the scan that a run was planned for."""
    kind = manifest.shared.get("diffraction_kind")
    return open_scan(Path(str(manifest.sources["scan"])), str(kind) if kind else None, paths.cache)


def grid_shape(scan: Scan) -> tuple[int, int]:
    """The object's own grid: that of the ground truth, else what the positions span."""
    if scan.object_guess is not None:
        height, width = scan.object_guess.shape
        return int(height), int(width)
    return object_shape(scan.positions_px, scan.patch_px)


def compared_region(
    paths: RunPaths, manifest: Manifest, scan: Scan, options: EvaluationOptions
) -> Region:
    """What is measured: the bounding box of the selection's positions and half a crop around.

    Upstream bounds the centres of the groups instead, and so it is done on request.
    """
    tables = [ArmIndex.read(paths, arm) for arm in manifest.arms if arm.n_items]
    if options.alignment is Alignment.UPSTREAM and tables:
        largest = max(table.frames.shape[1] for table in tables)
        places = [table.centres_px for table in tables if table.frames.shape[1] == largest]
    else:
        places = [table.positions_px.reshape(-1, 2) for table in tables] or [scan.positions_px]
    return scanned_region(np.concatenate(places), options.stitch_crop_px, grid_shape(scan))


def assemble_all(
    paths: RunPaths,
    manifest: Manifest,
    progress: Progress,
    scan: Scan,
    options: EvaluationOptions,
    watcher: Watcher,
) -> dict[str, ArmObject]:
    """Every arm's object: stitched from what is committed, or placed if it came finished."""
    shape = grid_shape(scan)
    arms = {}
    for plan in manifest.arms:
        if plan.kind == ArmKind.RECONSTRUCTION:
            arms[plan.name] = _place(plan, manifest, scan, shape)
        else:
            arms[plan.name] = _stitch(
                paths, plan, progress.arms[plan.name], shape, options, watcher
            )
    return arms


def _place(plan: ArmPlan, manifest: Manifest, scan: Scan, shape: tuple[int, int]) -> ArmObject:
    found = open_reconstruction(Path(str(manifest.sources[f"arm.{plan.name}"])))
    placement = place(scan, shape, found)
    return ArmObject(
        image=placement.image,
        coverage=placement.coverage,
        n_groups=0,
        figures=gates.figures(found.object),
        canvas=found.object,
        computation_time_s=found.computation_time_s,
        notes=found.notes,
        placement=placement,
    )


def _stitch(
    paths: RunPaths,
    plan: ArmPlan,
    done: ArmProgress,
    shape: tuple[int, int],
    options: EvaluationOptions,
    watcher: Watcher,
) -> ArmObject:
    index = ArmIndex.read(paths, plan)
    centres_px = index.centres_px
    stitcher = Stitcher(shape, options.stitch_crop_px)
    tally = gates.Tally()
    crops = []
    carries = np.zeros(plan.n_items, bool)
    task = f"stitch {plan.label}"
    watcher.begin(task, total=plan.n_items)
    for rows, patches in committed_patches(paths, plan, done):
        part = slice(rows.start, rows.stop)
        stitcher.add(patches, centres_px[part], index.multiplicity[part])
        tally.add(patches)
        middle = central(patches, options.stitch_crop_px)
        carries[part] = middle.any(axis=(1, 2))
        if options.alignment is Alignment.UPSTREAM:
            crops.append(np.repeat(middle, index.multiplicity[part], 0))
        watcher.advance(task, len(rows))
        del patches, middle  # a large chunk must be gone before the next one is read
    watcher.end(task)
    image, coverage = stitcher.result()
    hole = Hole.left_by(carries, centres_px, shape, options.stitch_crop_px)
    canvas = image
    if crops:
        offsets_px = np.repeat(centres_px, index.multiplicity, axis=0)
        canvas, _ = reassemble_upstream(np.concatenate(crops), offsets_px, options.stitch_crop_px)
    return ArmObject(
        image=image,
        coverage=coverage,
        n_groups=tally.n_items,
        figures=tally.figures(),
        canvas=canvas,
        computation_time_s=_seconds(paths, plan),
        notes=tuple(filter(None, [batches.describe(done), hole.note])),
        hole=hole,
    )


def open_patches(paths: RunPaths, plan: ArmPlan) -> zarr.Array[Any]:
    """Open an arm's patches (G, N, N) to read."""
    folder = LocalStore(paths.arrays, read_only=True)
    return store.open_array(folder, store.patches_path(plan.name), "r")


def committed_patches(
    paths: RunPaths, plan: ArmPlan, done: ArmProgress
) -> Iterator[tuple[range, NDArray[np.complex64]]]:
    """Read an arm's committed chunks in order; memory is bounded by one chunk."""
    if not plan.n_chunks:
        return
    array = open_patches(paths, plan)
    for chunk, is_committed in enumerate(done.committed):
        if is_committed:
            rows = plan.chunk_range(chunk)
            yield rows, np.asarray(array[rows.start : rows.stop])


def _seconds(paths: RunPaths, plan: ArmPlan) -> float:
    """What predicting took in all, over every session."""
    return math.fsum(
        record.seconds
        for _, record in read_records(paths)
        if isinstance(record, Committed) and record.fingerprint == plan.fingerprint
    )

"""What object do an arm's committed patches make?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from zarr.storage import LocalStore

from ptyrun.engine import store
from ptyrun.engine.manifest import ArmPlan, Manifest
from ptyrun.engine.progress import ArmProgress
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher
from ptyrun.ptycho.scan import Scan, open_scan
from ptyrun.ptycho.stitching import Stitcher, object_shape
from ptyrun.stages import gates
from ptyrun.stages.index import ArmIndex


@dataclass(frozen=True)
class Assembled:
    """One arm's object on the object's own grid.

    Attributes
    ----------
    image : ndarray of complex64, shape (H, W)
        Zero where nothing lies.
    coverage : ndarray of float64, shape (H, W)
        Sum of the weights.
    figures : Figures
        DIAGNOSTIC figures of all patches.
    n_groups : int
        How many patches were laid.
    """

    image: NDArray[np.complex64]
    coverage: NDArray[np.float64]
    figures: gates.Figures
    n_groups: int


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


def assemble(
    paths: RunPaths,
    arm: ArmPlan,
    done: ArmProgress,
    shape: tuple[int, int],
    crop_px: int,
    watcher: Watcher,
) -> Assembled:
    """Stitch an arm's committed chunks; memory is bounded by one chunk.

    Parameters
    ----------
    done : ArmProgress
        Which chunks count.
    shape : (int, int)
        Of the object's grid, in pixels.
    crop_px : int
        Side of the central part of each patch that is laid.

    Returns
    -------
    Assembled
        The same bits for every chunk size.
    """
    index = ArmIndex.read(paths, arm)
    centres_px = index.centres_px
    patches = store.open_array(
        LocalStore(paths.arrays, read_only=True), store.patches_path(arm.name), "r"
    )
    stitcher = Stitcher(shape, crop_px)
    tally = gates.Tally()
    task = f"stitch {arm.label}"
    watcher.begin(task, total=arm.n_items)
    for chunk in range(arm.n_chunks):
        if not done.committed[chunk]:
            continue
        rows = arm.chunk_range(chunk)
        part = slice(rows.start, rows.stop)
        values = np.asarray(patches[part])
        stitcher.add(values, centres_px[part], index.multiplicity[part])
        tally.add(values)
        watcher.advance(task, len(rows))
    watcher.end(task)
    image, coverage = stitcher.result()
    return Assembled(image, coverage, tally.figures(), tally.n_items)

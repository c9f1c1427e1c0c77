"""What object do an arm's committed patches make?"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ptyrun import __version__
from ptyrun.comparison import gates
from ptyrun.comparison.checked_chunks import CheckedChunks
from ptyrun.comparison.first_patches import FirstPatches
from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.keeping import Pace
from ptyrun.comparison.kept import Kept
from ptyrun.comparison.sources import Sources
from ptyrun.comparison.sums import ArmObject, Sums
from ptyrun.comparison.wholeness import NOT_COMMITTED
from ptyrun.config import Alignment, ArmKind, EvaluationOptions
from ptyrun.engine import batches, store
from ptyrun.engine.arm_plan import ArmPlan, patches_path
from ptyrun.engine.chunk_reader import ChunkReader
from ptyrun.engine.integrity import Damage
from ptyrun.engine.ledger_lines import read_seconds
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.plain_store import PlainStore
from ptyrun.engine.progress import ArmProgress, Progress
from ptyrun.errors import DamageError, PtyrunError
from ptyrun.host.documents import digest_of
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher
from ptyrun.ptycho.consistency import place_search, verdict
from ptyrun.ptycho.geometry.placement import Region, extremes, scanned_region
from ptyrun.ptycho.geometry.stitching import object_shape
from ptyrun.ptycho.readers.opening import Scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction


class PrunedError(PtyrunError):
    """Patches are needed that were deleted on purpose."""


def grid_shape(scan: Scan) -> tuple[int, int]:
    """The object's own grid: that of the scan's object, else what the positions span."""
    if scan.object_guess is not None:
        height, width = scan.object_guess.shape
        return int(height), int(width)
    return object_shape(scan.positions_px, scan.patch_px)


def tables_of(paths: RunPaths, manifest: Manifest) -> dict[str, ArmIndex]:
    """The tables of all arms that predict, by name.

    Raises
    ------
    DamageError
        If one is missing or not the one that was planned.
    """
    return {arm.name: ArmIndex.read(paths, arm) for arm in manifest.arms if arm.n_items}


def compared_region(
    indexes: Mapping[str, ArmIndex], scan: Scan, options: EvaluationOptions
) -> Region:
    """What is measured: the bounding box of the selection's positions and half a crop around.

    Upstream bounds the centres of the groups instead, and so it is done on request.
    """
    tables = [*indexes.values()]
    if options.alignment is Alignment.UPSTREAM and tables:
        largest = max(table.frames.shape[1] for table in tables)
        places = [
            table.bounds_px(of_centres=True) for table in tables if table.frames.shape[1] == largest
        ]
    else:
        places = [table.bounds_px() for table in tables] or [extremes(scan.positions_px)]
    return scanned_region(np.concatenate(places), options.stitch_crop_px, grid_shape(scan))


@dataclass(frozen=True)
class Assembler:
    """What any arm's object is made from, and with.

    ``indexes`` are the tables of the arms that predict, by name. ``checkpoint`` is called between
    blocks, with whether the sums so far were kept; it may raise.
    """

    paths: RunPaths
    manifest: Manifest
    progress: Progress
    scan: Scan
    indexes: Mapping[str, ArmIndex]
    options: EvaluationOptions
    region: Region
    kept: Kept
    watcher: Watcher
    checked: CheckedChunks
    checkpoint: Callable[[bool], None] = lambda is_kept: None

    def key(self, plan: ArmPlan) -> str:
        """Digest everything that an arm's object depends on, the committed bytes included."""
        return digest_of(
            {
                "ptyrun": __version__,
                "arm": plan.document,
                "shared": dict(self.manifest.shared),
                "region": self.region.as_tuple(),
                "stored": self.progress.arms[plan.name].stored_sha256,
            }
        )

    def assemble(self, plan: ArmPlan) -> ArmObject:
        """Stitch what is committed, or place what came finished.

        Raises
        ------
        DamageError
            If a committed chunk is not what the ledger says.
        """
        if plan.kind == ArmKind.RECONSTRUCTION:
            return self._place(plan)
        return self._stitch(plan)

    def _place(self, plan: ArmPlan) -> ArmObject:
        found = open_reconstruction(Sources.of(self.manifest).arms[plan.name])
        placement = place_search.place(self.scan, grid_shape(self.scan), found)
        coherence = verdict.coherence_with_reference(placement, self.scan.object_guess, self.region)
        return ArmObject(
            image=placement.image,
            coverage=placement.coverage,
            n_groups=0,
            figures=gates.figures(found.object),
            canvas=found.object,
            computation_time_s=found.computation_time_s,
            notes=found.notes_as(plan.label),
            mismatch=verdict.why_inconsistent(
                placement, self.region, coherence, self.scan.object_role
            ),
        )

    def _stitch(self, plan: ArmPlan) -> ArmObject:
        done = self.progress.arms[plan.name]
        index = self.indexes[plan.name]
        sums = Sums(grid_shape(self.scan), self.options, index)
        step, key = f"sums-{plan.name}", self.key(plan)
        sums.resume(self.kept.load(step, key))
        task = f"stitch {plan.label}"
        self.watcher.begin(task, total=plan.n_items, done=sums.position)
        pace = Pace()
        found = committed_patches(self.paths, plan, done, sums.position, self.checked)
        for rows, patches in found:
            sums.add(rows, patches)
            self.watcher.advance(task, len(rows))
            del patches  # a large chunk must be gone before the next one is read
            is_due = pace.is_due() and rows.stop < plan.n_items
            if is_due:
                with pace.paused():
                    is_due = self.kept.save(step, key, sums.finding())
                    self.checked.save()
            self.checkpoint(is_due)
        self.watcher.end(task)
        self.kept.forget(step)
        self.checked.save()
        made = sums.object(self.region, _seconds(self.paths, plan), batches.describe(done))
        first = FirstPatches(self.kept, self.manifest, plan, self.scan, index)
        doubt = first.doubt(
            lambda: next(committed_patches(self.paths, plan, done, 0, self.checked), None)
        )
        return replace(made, mismatch=doubt)


def open_patches(paths: RunPaths, plan: ArmPlan) -> zarr.Array[Any]:
    """Open an arm's patches (G, N, N) to read."""
    folder = PlainStore(paths.arrays)
    return store.open_array(folder, patches_path(plan.name), "r")


def committed_patches(
    paths: RunPaths,
    plan: ArmPlan,
    done: ArmProgress,
    first_item: int = 0,
    checked: CheckedChunks | None = None,
) -> Iterator[tuple[range, NDArray[np.complex64]]]:
    """Read an arm's committed chunks in order; memory is bounded by one chunk.

    Those that are whole are noted in *checked*.

    Raises
    ------
    DamageError
        If one is not what the ledger says.
    """
    if not plan.n_chunks:
        return
    _require_kept(paths, done)
    reader = ChunkReader(paths, done)
    for chunk, is_committed in enumerate(done.committed):
        rows = plan.chunk_range(chunk)
        if is_committed and rows.start >= first_item:
            mark = checked.mark(done, chunk) if checked is not None else ""
            patches = reader.read(chunk)
            if isinstance(patches, Damage):
                raise DamageError(
                    f"a part of the run is damaged: {patches}",
                    why=NOT_COMMITTED,
                    do="`ptyrun verify RUN --repair`, then `ptyrun run RUN`",
                )
            if checked is not None:
                checked.note(done, chunk, mark)
            yield rows, patches


def _require_kept(paths: RunPaths, done: ArmProgress) -> None:
    """Refuse patches that were deleted: they would read as if nothing had been predicted."""
    if done.chunks_pruned:
        where = shlex.quote(str(paths.root))
        raise PrunedError(
            f"the patches of {done.plan.name} are needed, and were deleted",
            why="`ptyrun prune` deleted them once the results were made",
            do=f"`ptyrun prune --undo {where}`, then `ptyrun run {where}`: they are computed again",
        )


def _seconds(paths: RunPaths, plan: ArmPlan) -> float:
    """What predicting took in all, over every session."""
    return math.fsum(
        seconds for fingerprint, seconds in read_seconds(paths) if fingerprint == plan.fingerprint
    )

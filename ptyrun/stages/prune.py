"""What may be deleted of a finished run? Its patches: results are made, and can still be verified.

The ledger says first that the patches are given up, then they go. A crash in between leaves some of
them, which nobody misses or reads, and the next call deletes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ptyrun
from ptyrun.comparison import leftovers, publishing
from ptyrun.comparison.finished import FinishedRun
from ptyrun.comparison.run import Run
from ptyrun.comparison.wholeness import require_complete, require_whole
from ptyrun.engine import presence
from ptyrun.engine.arm_plan import chunk_key, patches_path
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.plan_lock import PlanLock
from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.records import Closed, Forgotten, Pruned, Record
from ptyrun.engine.session_ledger import begin
from ptyrun.errors import ExitCode, UsageError
from ptyrun.host import durable
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT, Watcher


@dataclass(frozen=True)
class PrunedRun:
    """How much was deleted."""

    n_chunks: int
    size_bytes: int


def prune(run_dir: Path, watcher: Watcher = SILENT) -> PrunedRun:
    """Delete the patches of a run whose results are made and whole.

    Raises
    ------
    UnfinishedError
        If chunks are missing, or there are no results.
    DamageError
        If a chunk, a result or anything else that the run rests on is not as it was written.
    NewerError
        If a newer ptyrun wrote what it rests on.
    BusyError
        If a session works on the run.
    """
    with _alone(run_dir, watcher) as run:
        require_complete(run, "patches are deleted only after the results were made")
        FinishedRun.open(run, is_alone=True)
        paths, ledger = run.paths, run.ledger
        arms = [arm for arm in ledger.progress.arms.values() if arm.plan.n_chunks]
        left = [arm for arm in arms if not arm.is_pruned]
        if left:
            lost = list(leftovers.damages(paths, unpacked=False, is_alone=True))
            for newer in leftovers.newer(paths, lost):
                raise newer
            require_whole(run, "nothing is deleted that a repair may need", lost, watcher=watcher)
            _write_down(ledger, [_pruned(arm) for arm in left], "patches given up")
        deleted = [size for arm in arms for size in _delete(paths, arm)]
    return PrunedRun(len(deleted), sum(deleted))


def undo(run_dir: Path, watcher: Watcher = SILENT) -> int:
    """Let patches that were deleted be computed again; return how many chunks.

    Raises
    ------
    UsageError
        If the run is not pruned.
    BusyError
        If a session works on it.
    """
    with _alone(run_dir, watcher) as run:
        ledger = run.ledger
        forgotten: list[Record] = [
            Forgotten(name, chunk, arm.next_generation(chunk), "given up; to be computed again")
            for name, arm in ledger.progress.arms.items()
            for chunk in range(arm.plan.n_chunks)
            if arm.lacks_on_purpose(chunk)
        ]
        if not forgotten:
            raise UsageError(
                f"{run.folder} is not pruned",
                why="none of its patches was deleted",
                do="nothing: there is nothing to undo",
            )
        _write_down(ledger, forgotten, "patches to be computed again")
    return len(forgotten)


@contextmanager
def _alone(run_dir: Path, watcher: Watcher) -> Iterator[Run]:
    """Hold a run while nobody plans it, works on it or assembles its results."""
    run = Run(run_dir)
    _ = run.manifest  # a mistyped path shall leave nothing behind
    paths = run.paths
    with PlanLock(paths, watcher), publishing.undisturbed(paths, watcher):
        presence.require_no_active_session(paths, presence.PATIENCE_S, watcher)
        yield Run(run_dir)  # as it is now


def _pruned(arm: ArmProgress) -> Pruned:
    generation = max((arm.generations.get(c, 0) for c in range(arm.plan.n_chunks)), default=0)
    return Pruned(arm.plan.name, arm.plan.fingerprint, generation, arm.plan.n_chunks)


def _write_down(ledger: Ledger, records: Iterable[Record], reason: str) -> None:
    process = Process.current()
    session = begin(ledger, None, process, ptyrun.__version__)
    session.append(list(records))
    session.close(Closed(int(ExitCode.COMPLETE), reason, 0, process.age_s()))


def _delete(paths: RunPaths, arm: ArmProgress) -> Iterator[int]:
    """Delete an arm's chunks; give the size of each that was there."""
    for chunk in range(arm.plan.n_chunks):
        path = paths.arrays / chunk_key(arm.plan, chunk)
        with durable.storage_errors(path):
            try:
                size_bytes = path.lstat().st_size
                path.unlink()
            except FileNotFoundError:
                continue
        yield size_bytes
    durable.fsync_folder(paths.arrays / patches_path(arm.plan.name))

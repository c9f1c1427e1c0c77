"""May a full run begin? Only after its debug run showed that these models give content.

Nothing is taken from an exit code: every byte that the debug run committed is compared with its
ledger, and its results are read.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from ptyrun.comparison import blockers, gates, publishing
from ptyrun.comparison.model_facts import BESIDE, OPTION
from ptyrun.comparison.run import Run
from ptyrun.comparison.wholeness import require_whole
from ptyrun.engine.integrity import Damage, Kind
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.manifest import Change, Manifest, changes
from ptyrun.engine.ownership import FORMER_TRUST
from ptyrun.errors import BlockedError, PtyrunError, UsageError
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT, Watcher
from ptyrun.results import Results
from ptyrun.texts import counted

# What a debug run shows rests on these; how many groups it takes, how they are cut into chunks and
# batches, and how objects are measured is its own affair.
_SHARED = frozenset({"scan_sha256", "diffraction_kind"})
_OF_AN_ARM = frozenset(
    {"arm", "kind", "item_shape", "dtype", "weights_sha256", "reconstruction_sha256"}
    | {"backend", "framework", "gridsize", "factory_code_sha256", "backend_code_sha256"}
)
# What says how many groups are compared.
_SIZES = frozenset({"n_groups", "n_subsample", "groups_sha256", "limit_groups"})


class UnmetError(UsageError):
    """The debug run that was asked for is not there, not complete, or of something else."""


def require(debug_dir: Path, full_dir: Path, full: Manifest, watcher: Watcher = SILENT) -> None:
    """See that a debug run is complete by its content, and of what *full* will compute.

    Parameters
    ----------
    debug_dir : Path
        The debug run's folder; nothing in it is touched.
    full_dir : Path
        The full run's folder, which may not be planned yet. A blocker is left there if the debug
        run is blocked.
    full : Manifest
        What the full run will compute; its groups need not be drawn.
    watcher : Watcher

    Raises
    ------
    UnmetError
        If the debug run is not planned, not complete, not finalized, of another scan or other
        models, or as large as the full one.
    DamageError
        If something in it is not as it was written.
    BlockedError
        If it stopped at a content check, or its metrics measure nothing.
    """
    run = Run(debug_dir)
    debug = _manifest(run, full_dir)
    _require_kinship(run.paths, debug, full)
    try:
        _require_content(run)
    except BlockedError as error:
        resume = shlex.join(["ptyrun", *sys.argv[1:]])
        raise gates.block(Run(full_dir).paths, error, resume) from error
    groups = " + ".join(f"{arm.n_items} of {arm.label}" for arm in debug.arms if arm.n_items)
    watcher.note(f"debug run {debug_dir}: complete, every byte checked; groups: {groups or 'none'}")


def _manifest(run: Run, full_dir: Path) -> Manifest:
    paths = run.paths
    if paths.root.resolve() == full_dir.resolve():
        raise UnmetError(
            f"{paths.root} cannot be its own debug run",
            why="--require-debug names the folder that --output-dir or RUN names",
            do="name the folder of the smaller run",
        )
    if not paths.manifest.exists():
        raise UnmetError(
            f"the debug run {paths.root} is not there",
            why=f"it holds no {paths.manifest.name}: it was never planned, or is elsewhere",
            do="complete it first with `ptyrun compare`, or correct the path",
        )
    return run.manifest


def _require_kinship(paths: RunPaths, debug: Manifest, full: Manifest) -> None:
    foreign = list(filter(_matters, changes(debug, full)))
    if foreign:
        raise UnmetError(
            f"{paths.root} is not a debug run of this: {'; '.join(map(str, foreign))}",
            why="a debug run proves nothing about another scan, model or arm",
            do="run the debug comparison with the inputs of the full one, then this again",
        )
    if not any(change.fact in _SIZES for change in changes(debug, full)):
        raise UnmetError(
            f"{paths.root} is not a debug run: it compares as many groups as the full run",
            why="both were asked for the same groups, so that it cannot be the smaller one",
            do="make one with --n-test-groups, or --pinn-debug-limit and --baseline-debug-limit; "
            "or leave --require-debug out",
        )


def _matters(change: Change) -> bool:
    if change.arm is None:
        return change.fact in _SHARED
    if change.fact == "arm" and change.new == "absent":
        return False  # the debug run may show more than is asked for now
    if change.fact == FORMER_TRUST:
        return False
    return change.fact in _OF_AN_ARM or change.fact.startswith((OPTION, BESIDE))


def _require_content(run: Run) -> None:
    paths, debug, ledger = run.paths, run.manifest, run.ledger
    if missing := list(_missing(ledger)):
        raise _not_yet(paths, ledger, "; ".join(missing))
    if not paths.results.exists():
        why = f"its chunks are there, but no {paths.results.name} was made from them"
        raise _not_yet(paths, ledger, why)
    found = publishing.problems_seen(paths, publishing.results(paths))
    lost = [Damage(Kind.RESULT, *problem) for problem in found]
    require_whole(run, "the debug run is not what was checked when it was made", lost)
    results = Results.load(paths.results)
    if results.manifest_digest != debug.digest:
        why = f"{paths.results.name} was made before its plan was changed"
        raise _not_yet(paths, ledger, why)
    if results.is_measured:
        for name in (arm.name for arm in debug.arms):
            gates.require_metrics(name, results.arms[name])


def _missing(ledger: Ledger) -> Iterator[str]:
    for name, arm in ledger.progress.arms.items():
        lacking = list(arm.missing())
        if not lacking:
            continue
        said = f"{len(lacking)} of {counted(arm.plan.n_chunks, 'chunk')} of {name} missing"
        failed = [failure for chunk in lacking for failure in arm.failures.get(chunk, ())]
        yield f"{said}; chunk {failed[-1].chunk}: {failed[-1].error}" if failed else said


def _not_yet(paths: RunPaths, ledger: Ledger, why: str) -> PtyrunError:
    blocker = blockers.standing(paths, ledger)
    if blocker is not None:
        return BlockedError(
            f"debug-blocked: the debug run {paths.root} stopped at a content check",
            why=f"{gates.evidence(blocker)} ({blocker})",
            do="follow that blocker's advice, and complete the debug run",
        )
    return UnmetError(
        f"the debug run {paths.root} is not complete",
        why=why,
        do=f"complete it with `ptyrun start {shlex.quote(str(paths.root))}` or the command that it "
        "was begun with; then give this command again",
    )

"""What will a run compute? Written down once; a run whose inputs changed is refused by name."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from ptyrun.comparison import (
    afresh,
    artifacts,
    config_file,
    extent,
    group_tables,
    inputs,
    lengths,
    strangers,
    traces,
    trust,
)
from ptyrun.comparison.assembly import grid_shape
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.roles import open_given_scan
from ptyrun.comparison.run import Run
from ptyrun.config import CHUNK_GROUPS, ArmConfig, ArmKind, CompareConfig, EvaluationOptions, Fact
from ptyrun.engine import index_arrays, ledger, ownership, presence, store
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.folder import require_plain
from ptyrun.engine.manifest import Change, Manifest, changes
from ptyrun.engine.plan_lock import PlanLock
from ptyrun.errors import DamageError, IdentityError, UsageError
from ptyrun.host import durable
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.models.files import BACKENDS
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT, Watcher
from ptyrun.ptycho.readers.formats import format_of
from ptyrun.ptycho.readers.opening import Scan

RESULTS = "results"
_EVALUATION = frozenset(EvaluationOptions().facts())
# What grouping finds, as opposed to what was chosen: known only once the groups are drawn.
_UNDRAWN = -1


@dataclass(frozen=True)
class Plan:
    """A planned run, and where the one lies that was there before."""

    manifest: Manifest
    set_aside: Path | None = None


def plan(
    config: CompareConfig,
    *,
    new: bool = False,
    invalidate: Collection[str] = (),
    watcher: Watcher = SILENT,
    admit: Callable[[Manifest], None] | None = None,
    patience_s: float = presence.PATIENCE_S,
    once: bool = False,
) -> Plan:
    """Write what *config* will compute, or see that the run on disk computes just that.

    One process at a time does; another one with the same *config* then finds the plan and joins.

    Parameters
    ----------
    config : CompareConfig
    new : bool
        Set an existing run aside (its folder is renamed) and plan afresh.
    invalidate : collection of str
        Arms that may have changed: their chunks are computed again, the others stay. ``results``
        stands for the options of assembly and evaluation, which no chunk depends on.
    admit : callable, optional
        Given what is wanted, its groups not drawn yet; raises if that must not be planned.
    patience_s : float
        How long the end of a session is waited for whose plan is to be replaced.
    once : bool
        With *new*: do not set aside what the same command began and has not completed.

    Raises
    ------
    UsageError
        If an input cannot be used; found before anything is written into an existing run.
    IdentityError
        If the run on disk was planned from other inputs, seeds or sizes.
    BusyError
        If a session is at work on the run that *new* or *invalidate* would replace.
    """
    paths = Run(config.output_dir).paths
    debug_dir = config.presentation.baseline_debug_dir
    others = [] if debug_dir is None else [Path(debug_dir)]
    lengths.check(paths.root, [arm.name for arm in config.arms])
    with traces.none_if_refused(paths, *others):
        format_of(config.scan, "scan")
        for folder in others:
            inputs.check_output_folder(folder, "the folder")
        inputs.check_output_folder(paths.root)
        return _plan(config, paths, new, invalidate, watcher, admit, patience_s, once)


def _plan(
    config: CompareConfig,
    paths: RunPaths,
    new: bool,
    invalidate: Collection[str],
    watcher: Watcher,
    admit: Callable[[Manifest], None] | None,
    patience_s: float,
    once: bool,
) -> Plan:
    require_plain(paths)
    if not new and not _holds_a_run(paths):
        _refuse_to_overwrite(strangers.in_the_way(paths), paths)
        if found_there := strangers.strangers(paths):
            watcher.note(
                f"{paths.root} holds what is not ptyrun's: {strangers.named(found_there)}; "
                "it stays as it is"
            )
    fingerprints = Fingerprints(paths.digests)
    scan = open_given_scan(config, paths.cache)
    found = inputs.survey(config, scan, fingerprints)
    _tell_readings(found, scan, watcher)
    wanted = _undrawn(config, found, scan)
    _check_names(invalidate, wanted, _current(paths))
    if admit is not None:
        admit(wanted)
    with PlanLock(paths, watcher) as lock:
        current = None if new else _current(paths)
        if current is not None:
            wanted = trust.as_planned(wanted, current)
        aside = None
        if new and once and (there := _current(paths)) is not None:
            as_there = _as_planned(trust.as_planned(wanted, there), config, there)
            same = not changes(_without_draw(there), _like(as_there, there))
            afresh.refuse_to_repeat(paths, there, is_the_same=same)
        if current is None:
            # First, since drawing takes long; while the lock is held, no further one begins.
            presence.insist_on_nobody(paths, patience_s, watcher)
            manifest = _draw(wanted, config, scan, watcher)
            _tell(config, found, scan, watcher)
            watcher.note(extent.require_room(paths, manifest, grid_shape(scan), is_fresh=True))
            # Not before the new plan stands: an input that cannot be used leaves the old run there.
            if new and (_holds_a_run(paths) or artifacts.found_in(paths)):
                aside = _set_aside(paths)
                lock.follow()
                current = _current(paths)
            if new:
                manifest = afresh.noted(manifest)
        if current is None:
            _refuse_foreign_ledger(paths, manifest)
            _write(paths, manifest, scan, watcher)
            return Plan(manifest, aside)
        wanted = _as_planned(wanted, config, current)
        changed = changes(_without_draw(current), _like(wanted, current))
        if changed:
            _refuse_changes(changed, invalidate)
            presence.insist_on_nobody(paths, patience_s, watcher)
            manifest = _draw(wanted, config, scan, watcher)
            _tell(config, found, scan, watcher)
            watcher.note(extent.require_room(paths, manifest, grid_shape(scan), is_fresh=False))
            presence.insist_on_nobody(paths)
            ledger.supersede(paths, current)
            _write(paths, manifest, scan, watcher)
            return Plan(manifest, aside)
        kept = replace(current, sources=wanted.sources)
        if kept.sources != current.sources:
            kept.save(paths.manifest)
        if not index_is_whole(kept, paths):
            watcher.note("the group tables are damaged or incomplete: they are made again")
            group_tables.restore(paths, scan, kept)
        _stands(paths, kept, watcher)
        return Plan(kept, aside)


def check(config: CompareConfig, watcher: Watcher = SILENT) -> Manifest:
    """What :func:`plan` would write, without writing anything (``--dry-run``)."""
    scan = open_given_scan(config)
    found = inputs.survey(config, scan, Fingerprints(None))
    _tell_readings(found, scan, watcher)
    manifest = _draw(_undrawn(config, found, scan), config, scan, watcher)
    _tell(config, found, scan, watcher)
    paths = Run(config.output_dir).paths
    watcher.note(extent.require_room(paths, manifest, grid_shape(scan), is_fresh=True))
    return manifest


def _check_names(invalidate: Collection[str], wanted: Manifest, current: Manifest | None) -> None:
    arms = {arm.name for manifest in (wanted, current) if manifest for arm in manifest.arms}
    for name in invalidate:
        if name not in {RESULTS, *arms}:
            raise UsageError(
                f"--invalidate {name}: there is no such arm",
                why=f"there are {', '.join(sorted(arms))}, and `{RESULTS}` for the evaluation",
                do="name one of these",
            )


def _tell_readings(found: inputs.Survey, scan: Scan, watcher: Watcher) -> None:
    """Say how files were understood where that could be otherwise."""
    for note in (*scan.notes, *(note for arm in found.arms for note in arm.notes)):
        watcher.note(note)


def _tell(config: CompareConfig, found: inputs.Survey, scan: Scan, watcher: Watcher) -> None:
    """Say before any work what will make a person doubt the result after it."""
    for note in chain(scan.survey.notes, inputs.shortages(config, scan)):
        watcher.note(note)
    for doubt in chain(inputs.same_models(found), inputs.doubts(config, scan)):
        watcher.warn(doubt)


def index_is_whole(manifest: Manifest, paths: RunPaths) -> bool:
    """Whether every group table on disk is the one that the manifest names."""
    try:
        for arm in manifest.arms:
            index_arrays.check_indices(paths, arm.index_sha256)
    except DamageError:
        return False
    return True


def _undrawn(config: CompareConfig, found: inputs.Survey, scan: Scan) -> Manifest:
    arms = tuple(
        ArmPlan(
            name=arm.config.name,
            label=arm.label,
            kind=arm.config.kind.value,
            n_items=0,
            chunk_items=_chunk_items(arm.config),
            item_shape=(scan.patch_px, scan.patch_px),
            dtype="complex64",
            facts=arm.facts,
        )
        for arm in found.arms
    )
    return Manifest(shared=found.shared, arms=arms, sources=_sources(config, found))


def _chunk_items(arm: ArmConfig) -> int:
    chunk_groups = CHUNK_GROUPS if arm.chunk_groups is None else arm.chunk_groups
    return chunk_groups or _UNDRAWN


def _as_planned(wanted: Manifest, config: CompareConfig, current: Manifest) -> Manifest:
    """Take sizes that were left off from the run on disk: they are not asked to change."""
    planned = {arm.name: arm for arm in current.arms}
    given = {arm.name: arm for arm in config.arms}

    def taken(arm: ArmPlan) -> ArmPlan:
        before = planned.get(arm.name)
        if before is None or arm.kind != ArmKind.PREDICTOR or before.kind != arm.kind:
            return arm
        if given[arm.name].chunk_groups is None:
            arm = replace(arm, chunk_items=before.chunk_items)
        if given[arm.name].batch_groups is None:
            arm = replace(arm, facts={**arm.facts, "batch_groups": before.facts["batch_groups"]})
        return arm

    return replace(wanted, arms=tuple(map(taken, wanted.arms)))


def _sources(config: CompareConfig, found: inputs.Survey) -> dict[str, Fact]:
    return {
        "scan": str(config.scan.resolve()),
        "groups_from": str(config.groups_from.resolve()) if config.groups_from else None,
        **{f"arm.{arm.config.name}": str(arm.path.resolve()) for arm in found.arms},
        **config.presentation.facts(),
    }


def _without_draw(manifest: Manifest) -> Manifest:
    arms = tuple(
        replace(
            arm,
            n_items=0,
            chunk_items=_UNDRAWN if arm.chunk_items == arm.n_items else arm.chunk_items,
            index_sha256={},
        )
        for arm in manifest.arms
    )
    return replace(manifest, arms=arms)


def _like(wanted: Manifest, current: Manifest) -> Manifest:
    """One chunk for all groups may be written as ``all`` or as any size that holds them."""
    n_items = {arm.name: arm.n_items for arm in current.arms}
    arms = tuple(
        replace(arm, chunk_items=_UNDRAWN)
        if arm.chunk_items >= n_items.get(arm.name, arm.chunk_items + 1)
        else arm
        for arm in wanted.arms
    )
    return replace(wanted, arms=arms)


def _draw(wanted: Manifest, config: CompareConfig, scan: Scan, watcher: Watcher) -> Manifest:
    watcher.note(f"planning: {scan.n_frames} positions, patches of {scan.patch_px} px")
    own = BACKENDS.values()  # what another package's predictor reads is its own affair
    models = [arm.name for arm in wanted.arms if arm.facts.get("backend") in own]
    inputs.require_whole_models(Path(str(wanted.sources[f"arm.{name}"])) for name in models)
    tables = group_tables.planned_tables(scan, wanted, config.groups_from)
    arms = []
    for arm in wanted.arms:
        if arm.name not in tables:
            arms.append(replace(arm, chunk_items=0))
            continue
        n_items = len(tables[arm.name].frames)
        chunk_items = n_items if arm.chunk_items == _UNDRAWN else min(arm.chunk_items, n_items)
        digests = {entry.path: entry.sha256 for entry in tables[arm.name].tables(arm.name)}
        arms.append(replace(arm, n_items=n_items, chunk_items=chunk_items, index_sha256=digests))
    return replace(wanted, arms=tuple(arms))


def _write(paths: RunPaths, manifest: Manifest, scan: Scan, watcher: Watcher) -> None:
    artifacts.withdraw_completion(paths)
    group_tables.restore(paths, scan, manifest)
    store.create_arrays(paths, manifest, replace=True)
    # The manifest comes last: a run exists from the moment it names tables that are on disk.
    manifest.save(paths.manifest)
    _stands(paths, manifest, watcher)
    ATTEMPTS.progressed()


def _stands(paths: RunPaths, manifest: Manifest, watcher: Watcher) -> None:
    ownership.mark(paths)
    if (why := config_file.keep(paths, manifest)) is not None:
        watcher.note(why)


def _current(paths: RunPaths) -> Manifest | None:
    """The manifest on disk; None if there is none, or none that can be trusted."""
    try:
        return Run(paths.root).manifest if paths.manifest.exists() else None
    except DamageError:
        return None


def _holds_a_run(paths: RunPaths) -> bool:
    return any(path.exists() for path in (paths.manifest, paths.ledger, paths.arrays))


def _refuse_to_overwrite(results: list[Path], paths: RunPaths) -> None:
    if results:
        names = ", ".join(path.name for path in results)
        raise UsageError(
            f"{paths.root} holds files of something else: {names}",
            why="this comparison writes files of these names, and nothing of it was run here",
            do="choose another --output_dir, or set the folder aside with --new",
        )


def _set_aside(paths: RunPaths) -> Path:
    presence.insist_on_nobody(paths)
    now = datetime.datetime.now(datetime.UTC)
    folder = paths.root.resolve()  # a link to it stays, and then leads to the new run
    aside = folder.with_name(f"{folder.name}.until-{now:%Y%m%dT%H%M%S%fZ}")
    durable.publish(folder, aside)
    folder.mkdir(exist_ok=True)  # who waits for the lock in it may have been quicker
    durable.fsync_folder(folder.parent)
    return aside


def _refuse_foreign_ledger(paths: RunPaths, manifest: Manifest) -> None:
    """A manifest that was lost may be planned again, if it is the one that the ledger quotes."""
    happened = ledger.Ledger(paths, manifest)
    happened.refresh()
    if happened.foreign_work():
        raise DamageError(
            f"{paths.root} has a ledger but not the manifest that it belongs to",
            why="manifest.json was lost or damaged, and this command plans something else",
            do="give the command that this run was planned with, or start afresh with --new "
            "(the folder is kept aside)",
        )


def _refuse_changes(changed: list[Change], invalidate: Collection[str]) -> None:
    refused = [change for change in changed if _owner(change) not in invalidate]
    if not refused:
        return
    owners = {_owner(change) for change in refused}
    remedy = "start afresh with --new or another --output_dir"
    if None not in owners:
        accept = " ".join(f"--invalidate {owner}" for owner in sorted(filter(None, owners)))
        remedy = f"accept the change with {accept}, or {remedy}"
    raise IdentityError(
        "the run was planned from something else: " + "; ".join(map(str, refused)),
        why="chunks of different inputs or settings must never be mixed",
        do=f"restore the old input, or {remedy}; nothing was touched",
    )


def _owner(change: Change) -> str | None:
    if change.arm is None and change.fact in _EVALUATION:
        return RESULTS
    return change.arm

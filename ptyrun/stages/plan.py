"""What will a run compute? Written down once; a run whose inputs changed is refused by name."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ptyrun.comparison import (
    afresh,
    artifacts,
    asked,
    config_file,
    extent,
    ground_truth,
    group_tables,
    inputs,
    lengths,
    scan_doubts,
    strangers,
    traces,
)
from ptyrun.comparison.as_planned import as_planned, resizable
from ptyrun.comparison.assembly import grid_shape
from ptyrun.comparison.draft import UNDRAWN, Draft, Drawn
from ptyrun.comparison.run import Run
from ptyrun.comparison.sources import DARK, presentation_changes
from ptyrun.comparison.steps import Steps
from ptyrun.config import CompareConfig, EvaluationOptions
from ptyrun.engine import index_arrays, ledger, ownership, patience, presence, refusal, store
from ptyrun.engine.folder import require_plain
from ptyrun.engine.manifest import Change, Manifest, changes
from ptyrun.engine.plan_lock import PlanLock
from ptyrun.engine.window import Window
from ptyrun.errors import (
    DamageError,
    GarbledError,
    IdentityError,
    UsageError,
    WindowClosedError,
    refuse_unknown,
)
from ptyrun.host import durable, trees
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT, Watcher
from ptyrun.ptycho.readers.formats import format_of

RESULTS = "results"
_EVALUATION = frozenset({*EvaluationOptions().facts(), *ground_truth.FACTS})


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
    window: Window | None = None,
    once: bool = False,
    on_found: inputs.Found = lambda arm, scan: None,
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
    window : Window, optional
        How long this may take. What took long is kept in ``cache/planning/`` until the plan stands.
    once : bool
        With *new*: do not set aside what the same command began and has not completed.
    on_found : callable
        Told each network as soon as it is known to be usable; the plan may be refused after it.

    Raises
    ------
    UsageError
        If an input cannot be used; found before anything is written into an existing run.
    IdentityError
        If the run on disk was planned from other inputs, seeds or sizes.
    BusyError
        If a session works on the run that *new* or *invalidate* would replace.
    WindowClosedError
        If the window is used up; what was found out is kept.
    WindowTooShortError
        If a window of this length cannot hold the next step.
    """
    window = window or Window()
    paths = Run(config.output_dir).paths
    debug_dir = config.presentation.baseline_debug_dir
    others = [] if debug_dir is None else [Path(debug_dir)]
    lengths.check(paths.root, [arm.name for arm in config.arms])
    with traces.none_if_refused(paths, *others):
        format_of(config.scan, "scan")
        for folder in others:
            inputs.check_output_folder(folder, "the folder")
        inputs.check_output_folder(paths.root)
        try:
            with refusal.noted(paths, None):
                draft = partial(Draft.of, config, watcher, on_found=on_found)
                planned = _plan(config, paths, new, invalidate, watcher, admit, window, once, draft)
        except WindowClosedError as error:
            patience.raise_if_too_short(patience.Row(), error.args[0], 2 * window.elapsed_s)
            raise
    for folder in filter(None, (paths.root, planned.set_aside)):
        trees.discard(Run(folder).paths.planning)
    return planned


def _plan(
    config: CompareConfig,
    paths: RunPaths,
    new: bool,
    invalidate: Collection[str],
    watcher: Watcher,
    admit: Callable[[Manifest], None] | None,
    window: Window,
    once: bool,
    open_draft: Callable[..., Draft],
) -> Plan:
    require_plain(paths)
    if not new and not _holds_a_run(paths):
        _refuse_to_overwrite(strangers.in_the_way(paths), paths)
        if found_there := strangers.strangers(paths):
            watcher.note(
                f"{paths.root} holds what is not ptyrun's: {strangers.named(found_there)}; "
                "it stays as it is"
            )
    steps = Steps.towards_plan(paths, asked.plan(config), window)
    draft = open_draft(digests=paths.digests, steps=steps)
    wanted, scan = draft.undrawn, draft.scan
    _check_names(invalidate, wanted, _current(paths))
    if admit is not None:
        admit(wanted)
    is_closing = lambda: window.remaining_s <= 0  # noqa: E731
    patience_s = _patience_s(window)
    with PlanLock(paths, watcher, is_closing=is_closing) as lock, ExitStack() as held:
        current = None if new else _current(paths)
        aside = None
        if new and once and (there := _current(paths)) is not None:
            as_there = as_planned(wanted, config, there)
            same = not changes(_without_draw(there), _like(as_there, there))
            afresh.refuse_to_repeat(paths, there, is_the_same=same)
        if current is None:
            # First, since drawing takes long; while the locks are held, no further one begins.
            if new and _holds_a_run(paths):
                held.enter_context(presence.no_background_session(paths, patience_s, watcher))
            presence.require_no_active_session(paths, patience_s, watcher)
            drawn = draft.drawn(wanted)
            manifest = drawn.manifest
            draft.tell(drawn)
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
            _write(paths, manifest, drawn, draft)
            return Plan(manifest, aside)
        wanted = as_planned(wanted, config, current)
        changed = changes(_without_draw(current), _like(wanted, current))
        if changed:
            free = resizable(changed, Run(paths.root).progress)
            _refuse_changes([change for change in changed if change not in free], invalidate)
            for change in free:
                watcher.note(f"{change}: taken, since no chunk of it is computed yet")
            held.enter_context(presence.no_background_session(paths, patience_s, watcher))
            presence.require_no_active_session(paths, patience_s, watcher)
            drawn = draft.drawn(wanted)
            manifest = drawn.manifest.with_arms_of(current)
            _tell_presentation(paths, current, manifest, watcher)
            draft.tell(drawn)
            watcher.note(extent.require_room(paths, manifest, grid_shape(scan), is_fresh=False))
            presence.require_no_active_session(paths)
            ledger.supersede(paths, current)
            _write(paths, manifest, drawn, draft)
            return Plan(manifest, aside)
        dark = {name: each for name, each in current.sources.items() if name == DARK}
        kept = replace(current, sources={**wanted.sources, **dark})
        if kept.sources != current.sources:
            _tell_presentation(paths, current, kept, watcher)
            kept.save(paths.manifest)
        if not index_is_whole(kept, paths):
            watcher.note("the group tables are damaged or incomplete: they are made again")
            group_tables.restore(paths, scan, kept)
        _stands(paths, kept, watcher)
        return Plan(kept, aside)


def check(config: CompareConfig, watcher: Watcher = SILENT, *, new: bool = False) -> Manifest:
    """What :func:`plan` would write, without writing anything (``--dry-run``)."""
    paths = Run(config.output_dir).paths
    draft = Draft.of(config, watcher)
    current = None if new else _current(paths)
    wanted = draft.undrawn if current is None else as_planned(draft.undrawn, config, current)
    drawn = draft.drawn(wanted)
    manifest = drawn.manifest
    draft.tell(drawn)
    is_fresh = current is None
    watcher.note(extent.require_room(paths, manifest, grid_shape(draft.scan), is_fresh=is_fresh))
    if current is None:
        return manifest
    _tell_presentation(paths, current, manifest, watcher)
    return manifest.with_arms_of(current) if changes(current, manifest) else current


def _patience_s(window: Window) -> float:
    """How long the end of a session is waited for whose plan is to be replaced."""
    return max(0.0, min(presence.PATIENCE_S, window.remaining_s))


def _check_names(invalidate: Collection[str], wanted: Manifest, current: Manifest | None) -> None:
    arms = {arm.name for manifest in (wanted, current) if manifest for arm in manifest.arms}
    known = [*sorted(arms), RESULTS]
    refuse_unknown(invalidate, known, "--invalidate {1}: there is no such arm")


def index_is_whole(manifest: Manifest, paths: RunPaths) -> bool:
    """Whether every group table on disk is the one that the manifest names."""
    try:
        for arm in manifest.arms:
            index_arrays.check_indices(paths, arm.index_sha256)
    except DamageError:
        return False
    return True


def _without_draw(manifest: Manifest) -> Manifest:
    arms = tuple(
        replace(
            arm,
            n_items=0,
            chunk_items=UNDRAWN if arm.chunk_items == arm.n_items else arm.chunk_items,
            index_sha256={},
        )
        for arm in manifest.arms
    )
    return replace(manifest, arms=arms)


def _like(wanted: Manifest, current: Manifest) -> Manifest:
    """One chunk for all groups may be written as ``all`` or as any size that holds them."""
    n_items = {arm.name: arm.n_items for arm in current.arms}
    arms = tuple(
        replace(arm, chunk_items=UNDRAWN)
        if arm.chunk_items >= n_items.get(arm.name, arm.chunk_items + 1)
        else arm
        for arm in wanted.arms
    )
    return replace(wanted, arms=arms)


def _write(paths: RunPaths, manifest: Manifest, drawn: Drawn, draft: Draft) -> None:
    artifacts.withdraw_completion(paths)
    group_tables.write(paths, drawn.tables)
    store.create_arrays(paths, manifest, replace=True)
    # The manifest comes last: a run exists from the moment it names tables that are on disk.
    manifest.save(paths.manifest)
    _stands(paths, manifest, draft.watcher)
    scan_doubts.keep(paths, manifest, draft.judged)
    ATTEMPTS.progressed()


def _tell_presentation(paths: RunPaths, before: Manifest, now: Manifest, watcher: Watcher) -> None:
    """Say what results will show otherwise: it is taken, since no chunk depends on it."""
    if said := presentation_changes(before, now):
        again = "again, " if paths.results.exists() else ""
        watcher.note(f"results are made {again}with what changed of how they are shown: {said}")


def _stands(paths: RunPaths, manifest: Manifest, watcher: Watcher) -> None:
    ownership.mark(paths)
    if (why := config_file.keep(paths, manifest)) is not None:
        watcher.note(why)


def _current(paths: RunPaths) -> Manifest | None:
    """The manifest on disk; None if there is none, or none that can be trusted."""
    try:
        return Run(paths.root).manifest if paths.manifest.exists() else None
    except (DamageError, GarbledError):
        return None


def _holds_a_run(paths: RunPaths) -> bool:
    return any(path.exists() for path in (paths.manifest, paths.ledger, paths.arrays))


def _refuse_to_overwrite(results: list[Path], paths: RunPaths) -> None:
    if results:
        names = ", ".join(path.name for path in results)
        raise UsageError(
            f"{paths.root} holds files of something else: {names}",
            why="this comparison writes files of these names, and nothing of it was run here",
            do="choose another --output-dir, or move the folder aside with --new",
        )


def _set_aside(paths: RunPaths) -> Path:
    presence.require_no_active_session(paths)
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
            do="give the command that this run was planned with, or start over with --new "
            "(the folder is kept aside)",
        )


def _refuse_changes(changed: list[Change], invalidate: Collection[str]) -> None:
    refused = [change for change in changed if _owner(change) not in invalidate]
    if not refused:
        return
    owners = {_owner(change) for change in refused}
    remedy = (
        "start over with --new, or give another --output-dir, with --reuse and this run's folder "
        "to take over the chunks that are the same"
    )
    if None not in owners:
        accept = " ".join(f"--invalidate {owner}" for owner in sorted(filter(None, owners)))
        remedy = f"accept the change with {accept}, or {remedy}"
    raise IdentityError(
        "the configuration differs from the planned run: " + "; ".join(map(str, refused)),
        why="chunks of different inputs or settings must not be mixed",
        do=f"restore the old input, or {remedy}; nothing was touched",
    )


def _owner(change: Change) -> str | None:
    if change.arm is None and change.fact in _EVALUATION:
        return RESULTS
    return change.arm

"""What do the committed patches amount to? Objects, metrics, tables and a picture."""

from __future__ import annotations

import logging
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path

from ptyrun.comparison import (
    artifacts,
    assembly,
    currency,
    debug_files,
    figures,
    gates,
    objects,
    outputs,
    publishing,
    ring_curves,
    scan_doubts,
)
from ptyrun.comparison.certainty import Certainty
from ptyrun.comparison.checked_chunks import CheckedChunks
from ptyrun.comparison.common_measures import measure_together
from ptyrun.comparison.compared import Compared
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.frame_figures import Held
from ptyrun.comparison.ground_truth import noise_of
from ptyrun.comparison.measures import Measures, measure
from ptyrun.comparison.planned_inputs import refuse_changed_inputs
from ptyrun.comparison.run import Run
from ptyrun.comparison.sources import Sources
from ptyrun.comparison.steps import Steps
from ptyrun.comparison.sums import ArmObject
from ptyrun.comparison.told import does_not_belong, was_told
from ptyrun.comparison.undone import undone_of
from ptyrun.comparison.wholeness import (
    NOT_COMMITTED,
    require_complete,
    require_untouched,
    require_whole,
)
from ptyrun.config import EvaluationOptions, Presentation
from ptyrun.engine import integrity, ownership, refusal
from ptyrun.engine.plan_lock import CurrentPlan
from ptyrun.engine.window import Window
from ptyrun.errors import BlockedError, StorageError
from ptyrun.host import checksums, durable
from ptyrun.host.documents import digest_of
from ptyrun.logs import session_log
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT, Watcher
from ptyrun.results import Results

log = logging.getLogger(__name__)


def finalize(
    run_dir: Path,
    *,
    window: Window | None = None,
    force: bool = False,
    watcher: Watcher = SILENT,
    adopt: bool = False,
) -> Results:
    """Assemble every arm's object, measure it and write the result files.

    Each step is kept in ``cache/`` when it is done, so that short windows get there as well. The
    new files take the place of earlier ones when all of them are there.

    Parameters
    ----------
    run_dir : Path
        A run whose chunks are all committed.
    window : Window, optional
        How long this may take.
    force : bool
        Make everything again, even where it would be the same.
    watcher : Watcher
    adopt : bool
        Believe a run that somebody else planned.

    Returns
    -------
    Results
        As written to ``results.json``; ``SHA256SUMS`` comes last and vouches for all files.

    Raises
    ------
    UnfinishedError
        If chunks are missing.
    IdentityError
        If an input changed since the run was planned; the results that are there stay. Or if
        somebody else planned the run, and it names a folder to write to.
    DamageError
        If a committed chunk is not what the ledger says.
    BlockedError
        If an object has holes or an arm's metrics are empty; a blocker is left in ``blocked/``.
    NewerError
        If a newer ptyrun made the results that are there, unless *force* replaces them.
    ReplacedError
        If another plan is there by the time that the results are made; none of them is published.
    WindowClosedError
        If the window is used up; what was done is kept.
    WindowTooShortError
        If a window of this length cannot hold the next step.
    """
    window = window or Window()
    run = Run(run_dir)
    paths, manifest = run.paths, run.manifest
    ownership.require_own(manifest, paths, adopt=adopt)
    ownership.forget_foreign_steps(paths)
    require_complete(run, "results are assembled once every group is present")
    with (
        session_log(paths.logs),
        publishing.alone(paths, watcher, window),
        refusal.noted(paths, run.ledger),
    ):
        fingerprints = Fingerprints(paths.digests)
        refuse_changed_inputs(manifest, fingerprints, models_are_read=False)
        publishing.results(paths).sweep()
        made_from = currency.results_made_from(manifest, run.progress)
        steps = Steps.of(paths, manifest, window, keeps=not force)
        checked = CheckedChunks(paths)
        if not force and currency.results_are_current(paths, manifest, made_from, fingerprints):
            require_untouched(run, checked, steps.checkpoint, watcher)
            return currency.results_of(paths, manifest)
        if not force:
            currency.refuse_newer_results(paths, manifest)
        # Bytes of chunks are compared when they are read.
        require_whole(run, NOT_COMMITTED, level=integrity.Level.SIZE, watcher=watcher)
        compared = _compare(run, steps, checked, watcher)
        require_untouched(run, checked, steps.checkpoint, watcher)  # what earlier windows read
        # What was read may have been replaced meanwhile.
        refuse_changed_inputs(manifest, fingerprints, models_are_read=False)
        results = compared.results()
        files = Sources.of(manifest).arms
        for name, arm in results.arms.items():
            if arm.mismatch and not was_told(watcher, files[name], arm.mismatch):
                watcher.warn(does_not_belong(arm.label, arm.mismatch))
        if compared.unchecked is not None:
            watcher.warn(compared.unchecked)
        _require_content(paths, compared, results)
        watcher.note("writing objects, tables and pictures")
        with steps.measured("write"):
            _write(paths, compared, results, made_from, CurrentPlan(paths, manifest))
    return currency.results_of(paths, manifest)  # as every later call gives them


def _require_content(paths: RunPaths, compared: Compared, results: Results) -> None:
    """Refuse objects with holes and arms that nothing measures; a blocker is left."""
    try:
        for name, arm in compared.arms.items():
            gates.require_coverage(name, arm.hole)
        if results.is_measured:
            for name, result in results.arms.items():
                gates.require_metrics(name, result)
    except BlockedError as error:
        resume = f"ptyrun finalize {shlex.quote(str(paths.root))}"
        raise gates.block(paths, error, resume) from error


def _compare(run: Run, steps: Steps, checked: CheckedChunks, watcher: Watcher) -> Compared:
    paths, manifest, scan = run.paths, run.manifest, run.scan
    options = EvaluationOptions.from_facts(manifest.shared)
    indexes = assembly.tables_of(paths, manifest)
    region = assembly.compared_region(indexes, scan, options)
    progress = run.progress
    assembler = assembly.Assembler(
        paths,
        manifest,
        progress,
        scan,
        indexes,
        options,
        region,
        steps.kept,
        watcher,
        checked,
        steps.checkpoint,
    )
    arms: dict[str, ArmObject] = {}
    measured: dict[str, Measures] = {}
    keys = []
    truth = scan.object_guess
    for plan in manifest.arms:
        key = assembler.key(plan)
        keys.append(key)
        arm = steps.taken(
            f"assemble {plan.name}",
            key,
            ArmObject.of,
            partial(assembler.assemble, plan),
            in_blocks=plan.n_chunks > 1,
        )
        arms[plan.name] = arm
        log.info("DIAGNOSTIC %s stats: %s", gates.output_name(plan.name), arm.figures)
        if truth is not None:
            watcher.begin(f"measure {plan.label}", total=1, unit="arms")
            measured[plan.name] = steps.taken(
                f"measure {plan.name}",
                digest_of([key, Results.SCHEMA, scan.object_role]),
                Measures.from_finding,
                partial(measure, plan, arm, truth, region, options, noise_of(scan)),
            )
            watcher.advance(f"measure {plan.label}", 1)
            watcher.end(f"measure {plan.label}")
    watcher.note("comparing arms on the pixels that all of them cover")
    moved = {plan.name for plan in manifest.arms if options.registration.reaches(plan.kind)}
    together = measure_together(steps, digest_of(keys), arms, measured, region, options, moved)
    undone = undone_of(measured, options, scan.patch_px)
    frames = Held.of(steps, keys, scan, manifest, arms, undone)
    certainty = Certainty.of(steps, scan, together, frames)
    doubts = scan_doubts.taken(steps, manifest, scan)
    return Compared(
        manifest, scan, region, arms, measured, together, frames, certainty, doubts.texts, options
    )


def _write(
    paths: RunPaths, compared: Compared, results: Results, made_from: str, plan: CurrentPlan
) -> None:
    plan.raise_if_failed()
    artifacts.withdraw_completion(paths)
    publication = publishing.results(paths)
    fresh = replace(paths, root=publication.begin())
    try:
        _write_files(paths, fresh, compared, results, made_from)
    except (OSError, StorageError):
        plan.raise_if_failed()  # with a run that is set aside, its unpublished files are gone
        raise
    plan.raise_if_failed()
    publication.publish(fresh.root)


def _write_files(
    paths: RunPaths, fresh: RunPaths, compared: Compared, results: Results, made_from: str
) -> None:
    presentation = Presentation.from_facts(compared.manifest.sources)
    labels = {plan.name: plan.label for plan in compared.manifest.arms}
    rasters = compared.rasters()
    objects.write(fresh, rasters)
    for name, found in compared.evaluations.items():
        outputs.write_frc_csv(
            fresh.frc_curves(name), labels[name], found.amplitude_frc, found.phase_frc
        )
    rings = tuple(compared.ring_curves())
    ring_curves.write(fresh.ring_curves, rings)
    outputs.write_metrics_csv(fresh.metrics_csv, results)
    outputs.write_reconstructions(
        fresh,
        compared.arms,
        compared.evaluations,
        compared.together,
        compared.scan.object_guess,
        presentation,
        compared.options.alignment,
    )
    figures.write(
        fresh,
        results,
        presentation,
        compared.options.alignment,
        objects.arrays_of(rasters).get,
        rings,
        {
            name: {"amplitude_frc": found.amplitude_frc, "phase_frc": found.phase_frc}
            for name, found in compared.evaluations.items()
        },
    )
    if presentation.save_debug_images:
        debug_files.write_images(fresh, compared.arms)
    if presentation.baseline_debug_dir is not None:
        debug_files.write_baseline(
            paths, compared.manifest, compared.scan, Path(presentation.baseline_debug_dir)
        )
    durable.write_atomic(fresh.results, results.to_json().encode())
    left = artifacts.result_files(fresh, results, presentation)
    checksums.write(fresh.root, left, made_from)

"""Is everything that a run rests on as it was written, and can the rest be put right?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ptyrun.comparison import (
    artifacts,
    group_tables,
    leftovers,
    planned_inputs,
    publishing,
    strangers,
)
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.run import Run
from ptyrun.engine import integrity, presence
from ptyrun.engine import repair as engine_repair
from ptyrun.engine.integrity import HARMLESS, Damage, Kind, Level
from ptyrun.engine.ledger_lines import half_lines
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.plan_lock import CurrentPlan, PlanLock
from ptyrun.errors import NewerError, PtyrunError
from ptyrun.progress import SILENT, Watcher

_MAKERS = ("run", "finalize", "report", "preview")


@dataclass(frozen=True)
class Verdict:
    """What is damaged, and what of it stays so; of a whole run, how much there is.

    ``strangers`` are files that are not the run's and do no harm; ``half_lines`` are sessions, of a
    run without damage, whose last line was cut off: a kill leaves that, and no chunk is lost by it.
    ``newer`` names documents that a newer ptyrun wrote: nothing is known of what they hold, and
    nothing is repaired beside them.
    """

    damages: tuple[Damage, ...]
    beyond_repair: tuple[Damage, ...]
    n_chunks: int = 0
    n_arms: int = 0
    strangers: tuple[str, ...] = ()
    n_pruned: int = 0
    n_missing: int = 0
    half_lines: tuple[str, ...] = ()
    newer: tuple[NewerError, ...] = ()

    def remedies(self, run_dir: Path, *, repair: bool) -> Iterator[str]:
        """Say what to do about the damage that stays, after a *repair* or before one."""
        if self.newer:
            return
        kinds = {damage.kind for damage in self.beyond_repair} - HARMLESS
        if Kind.INPUT in kinds:
            yield planned_inputs.WHEN_CHANGED
        if kinds <= {Kind.INPUT}:
            return
        if repair:
            yield "restore what is named from a copy, or start over with `ptyrun compare ... --new`"
        else:
            again = self.made_again(run_dir)
            yield (
                f"`ptyrun verify {shlex.quote(str(run_dir))} --repair` discards what is damaged"
                + f"; then just that is made again by {again}" * bool(again)
            )

    def made_again(self, run_dir: Path) -> str:
        """Name the commands, in order, that make again what a repair discards; empty if none."""
        makers = {_maker(damage) for damage in self.damages}
        if self.n_missing:
            makers.add("run")
        run = shlex.quote(str(run_dir))
        return ", ".join(f"`ptyrun {command} {run}`" for command in _MAKERS if command in makers)


def verify(
    run_dir: Path, level: Level = Level.FULL, *, repair: bool = False, watcher: Watcher = SILENT
) -> Verdict:
    """Look at every file that a run rests on.

    Parameters
    ----------
    run_dir : Path
    level : Level
        How closely to look at chunks: sizes, some of them, or every byte.
    repair : bool
        Forget damaged chunks, so that the next window computes just these, write what can be
        written again, and take damaged results back, so that ``finalize`` makes them anew.

    Raises
    ------
    BusyError
        If a session works on a run that is to be repaired; the error names it.
    ReplacedError
        If the run to be repaired was planned anew meanwhile.

    Returns
    -------
    Verdict
        ``beyond_repair`` equals ``damages`` where no repair was asked for.
    """
    run = Run(run_dir)
    paths = run.paths
    said = 0
    if repair:
        presence.require_no_active_session(paths)

    def step(done: int, total: int) -> None:
        nonlocal said
        if not said:
            watcher.begin("verify", total, unit="chunks")
        watcher.advance("verify", done - said)
        said = done

    of_chunks = list(integrity.verify(paths, level, progress=step))
    watcher.end("verify")
    unpacked = level is Level.FULL
    of_results = list(leftovers.damages(paths, unpacked=unpacked))
    of_inputs = _of_a_sound_ledger(run, level)
    damages = [*of_chunks, *of_results, *of_inputs]
    newer = tuple(leftovers.newer(paths, damages))
    if newer or not repair:  # with no damage at all, chunks that were set aside get new attempts
        return replace(_verdict(run, damages, damages), newer=newer)
    with PlanLock(paths, watcher), publishing.undisturbed(paths, watcher):
        # Others may have begun to work, planned anew, or made results meanwhile.
        presence.require_no_active_session(paths)
        _require_same_plan(run)
        of_results = list(leftovers.damages(paths, unpacked=unpacked, is_alone=True))
        return _repaired(run, [*of_chunks, *of_results, *of_inputs])


def _require_same_plan(run: Run) -> None:
    try:
        manifest = run.manifest
    except PtyrunError:
        return  # it is damaged, and named
    CurrentPlan(run.paths, manifest).raise_if_failed()


def _repaired(run: Run, damages: list[Damage]) -> Verdict:
    paths = run.paths
    if any(damage.kind not in HARMLESS for damage in damages):
        artifacts.withdraw_completion(paths)
    beyond = engine_repair.repair(paths, damages)
    if beyond != damages:
        beyond += leftovers.repair(paths, damages)
        beyond += [damage for damage in damages if damage.kind is Kind.INPUT]
    if any(damage.kind is Kind.INDEX for damage in beyond):
        beyond = _restore_index(run, beyond)
    return _verdict(run, damages, beyond)


def _maker(damage: Damage) -> str | None:
    """The command that makes again what is discarded; None where nobody misses it."""
    if damage.kind in HARMLESS | {Kind.SESSION, Kind.CACHE, Kind.INPUT}:
        return None
    if damage.kind is not Kind.RESULT:
        return "run"
    folder = Path(damage.path).parts[0]
    return folder if folder in ("report", "preview") else "finalize"


def _verdict(run: Run, damages: list[Damage], beyond: list[Damage]) -> Verdict:
    others = tuple(strangers.strangers(run.paths))
    if damages:
        n_missing = 0
        with suppress(PtyrunError):  # what is damaged may be what tells
            n_missing = run.progress.chunks_left()
        return Verdict(tuple(damages), tuple(beyond), strangers=others, n_missing=n_missing)
    arms = run.progress.arms.values()
    computed = [arm for arm in arms if arm.plan.n_chunks]
    n_pruned = sum(arm.chunks_pruned for arm in computed)
    n_chunks = sum(arm.chunks_committed for arm in computed) - n_pruned
    n_missing = run.progress.chunks_left()
    half = half_lines(run.ledger)
    return Verdict((), (), n_chunks, len(computed), others, n_pruned, n_missing, half)


def _of_a_sound_ledger(run: Run, level: Level) -> list[Damage]:
    try:
        manifest = run.manifest
    except PtyrunError:
        return []  # it is damaged, and named
    try:
        found = list(leftovers.orphaned(run))
    except PtyrunError:
        found = []  # so is the ledger
    return [*found, *_changed_inputs(run, manifest, level)]


def _changed_inputs(run: Run, manifest: Manifest, level: Level) -> list[Damage]:
    """Name inputs that are there and are others now; one that is absent is not damage."""
    remembered = None if level is Level.FULL else run.paths.digests
    changed = planned_inputs.changed_inputs(manifest, Fingerprints(remembered, is_kept=False))
    return [
        Damage(
            Kind.INPUT, str(each.path), f"{each.source} changed since the run was planned: {why}"
        )
        for each, why in changed
    ]


def _restore_index(run: Run, beyond: list[Damage]) -> list[Damage]:
    try:
        group_tables.restore(run.paths, run.scan, run.manifest)
    except PtyrunError:
        return beyond
    return [damage for damage in beyond if damage.kind is not Kind.INDEX]

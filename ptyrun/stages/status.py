"""How far is a run? Read from manifest and ledger alone, so that the answer comes at once."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import ClassVar

from ptyrun.comparison import blockers
from ptyrun.comparison.counts import Counts
from ptyrun.comparison.run import Run
from ptyrun.durations import format_duration
from ptyrun.engine import batches, patience, poison
from ptyrun.engine.ledger import Ledger, SessionFile
from ptyrun.engine.manifest import Manifest, changes
from ptyrun.engine.presence import is_in_background
from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.records import Failed
from ptyrun.engine.refusal import Refusal
from ptyrun.errors import DamageError, ExitCode, InputError, NewerError, UsageError
from ptyrun.host import checksums
from ptyrun.paths import RunPaths
from ptyrun.results import are_of
from ptyrun.texts import counted


class RunState(StrEnum):
    """What a run is in."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    RUNNING = "running"
    BLOCKED = "blocked"
    FAILED = "failed"


@dataclass(frozen=True)
class ArmStatus(Counts):
    """How far one arm is; ``failed`` counts the chunks that were set aside.

    ``notes`` say what is not as planned, like a batch that had to be halved.
    """

    failed: int
    groups_per_s: float | None
    chunks_reused: int = 0
    chunks_pruned: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trouble:
    """A chunk that was tried in vain; ``error`` is empty if it only killed its process."""

    arm: str
    chunk: int
    attempts: int
    set_aside: bool
    error: str
    traceback: str


@dataclass(frozen=True)
class Status(Counts):
    """How far a run is; :meth:`to_json` is the documented form."""

    SCHEMA: ClassVar[int] = 1

    state: RunState
    windows: int
    windows_left: int | None
    eta_s: float | None
    why_unknown: str | None
    finalized: bool
    reported: bool
    arms: Mapping[str, ArmStatus]
    troubles: tuple[Trouble, ...]
    blockers: tuple[str, ...]
    windows_without_progress: int = 0
    why_without_progress: str = ""
    window_needed_s: float | None = None
    why_refused: str = ""
    why_failed: str = ""

    @property
    def is_running(self) -> bool:
        """Whether a session works on it now."""
        return self.state is RunState.RUNNING

    def to_json(self) -> str:
        """One JSON document; fields are only ever added within a schema."""
        return json.dumps({"schema": self.SCHEMA, **asdict(self)}, indent=1, sort_keys=True)

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td>"
            f'<td><progress value="{arm.groups_committed}" max="{max(arm.groups_total, 1)}">'
            f"</progress></td><td>{arm.groups_committed} of {arm.groups_total} groups</td>"
            f"<td>{escape('; '.join(arm.notes))}</td></tr>"
            for name, arm in self.arms.items()
            if arm.groups_total
        )
        left = "" if not self.eta_s else f", about {format_duration(self.eta_s)} of work left"
        return f"<div>{self.state.value}{left}</div><table>{rows}</table>"


def status(run_dir: Path) -> Status:
    """Say how far *run_dir* is, without touching it and without any framework.

    Raises
    ------
    InputError
        If there is no planned run.
    DamageError
        If the ledger cannot be trusted.
    """
    run = Run(run_dir)
    try:
        ledger = run.ledger
    except InputError as error:
        refused = Refusal.standing(run.paths, None)
        if refused is None:
            raise
        enough_s = math.ceil(refused.enough_s)
        raise InputError(
            f"{run_dir} is not planned yet",
            why=f"the latest window for it was too short: {refused.why}",
            do=f"give the command that plans it --window {enough_s}s or more",
        ) from error
    return _status(run.paths, ledger)


def foreseen(run_dir: Path, manifest: Manifest, *, new: bool) -> Status:
    """Say how far *run_dir* would be with this plan: where a run has it already, or not begun.

    Parameters
    ----------
    new : bool
        Whether a run that is there would be set aside.

    Raises
    ------
    DamageError
        If the ledger of the run that is there cannot be trusted.
    """
    run = Run(run_dir)
    is_there = not new and _is_plan_of(run, manifest)
    if is_there:
        return _status(run.paths, run.ledger)
    found = _status(run.paths, Ledger(run.paths, manifest))
    # Where every arm is a finished reconstruction no chunk is missing, and nothing is made yet.
    return replace(found, state=RunState.INCOMPLETE, finalized=False, reported=False)


def _is_plan_of(run: Run, manifest: Manifest) -> bool:
    try:
        return not changes(run.manifest, manifest)
    except NewerError:
        raise
    except (UsageError, DamageError):
        return False


def _status(paths: RunPaths, ledger: Ledger) -> Status:
    if any(each.closed is None and not each.is_at_work for each in ledger.sessions.values()):
        ledger.refresh()  # one that has ended since has written down all that it did
    manifest = ledger.manifest
    arms = {name: _arm(arm, ledger) for name, arm in ledger.progress.arms.items()}
    finalized = are_of(paths.results, manifest.digest)
    state = _state(paths, ledger, finalized)
    blocker = None if state is RunState.COMPLETE else blockers.standing(paths, ledger)
    latest = _latest_window(ledger)
    in_vain = patience.fruitless(ledger)
    eta_s = ledger.progress.eta_s()
    if eta_s is not None and latest:
        eta_s /= len(latest)
    windows_left = None if in_vain.windows else _windows_left(ledger, latest, eta_s)
    troubles = tuple(
        trouble
        for name, arm in ledger.progress.arms.items()
        for trouble in _troubles(name, arm, ledger)
    )
    refused = Refusal.standing(paths, ledger)
    needed_s = [in_vain.enough_s, refused.enough_s if refused else None]
    return Status(
        **vars(Counts.of(ledger.progress.arms.values())),
        state=state,
        windows=len({each.window for each in ledger.sessions.values() if each.computed}),
        windows_left=windows_left,
        eta_s=eta_s,
        why_unknown=_why_unknown(ledger, latest, eta_s, windows_left),
        finalized=finalized,
        reported=finalized and _is_reported(paths),
        arms=arms,
        troubles=troubles,
        blockers=() if blocker is None else (blocker.name,),
        windows_without_progress=in_vain.windows,
        why_without_progress=in_vain.why,
        window_needed_s=max((each for each in needed_s if each), default=None),
        why_refused=refused.why if refused else "",
        why_failed=_why_failed(ledger) if state is RunState.FAILED else "",
    )


def _arm(arm: ArmProgress, ledger: Ledger) -> ArmStatus:
    return ArmStatus(
        **vars(Counts.of([arm])),
        failed=sum(trouble.set_aside for trouble in _troubles(arm.plan.name, arm, ledger)),
        groups_per_s=1 / arm.item_s if arm.item_s else None,
        chunks_reused=arm.reused,
        chunks_pruned=arm.chunks_pruned,
        notes=tuple(filter(None, [batches.describe(arm), _reused(arm), _pruned(arm)])),
    )


def _reused(arm: ArmProgress) -> str:
    were = "was" if arm.reused == 1 else "were"
    taken = f"{counted(arm.reused, 'chunk')} {were} taken over from another run"
    return taken if arm.reused else ""


def _pruned(arm: ArmProgress) -> str:
    pruned = arm.chunks_pruned
    were = "was" if pruned == 1 else "were"
    deleted = f"pruned: {counted(pruned, 'chunk')} {were} deleted once the results were made"
    return deleted if pruned else ""


def _troubles(name: str, arm: ArmProgress, ledger: Ledger) -> list[Trouble]:
    def alive(session: str) -> bool:
        return ledger.sessions[session].is_at_work

    found = []
    for chunk in sorted({*arm.failures, *arm.open_starts}):
        attempts = ledger.attempts(arm, chunk, alive)
        if arm.committed[chunk] or not attempts:
            continue
        failures: list[Failed] = arm.failures.get(chunk, [])
        last = failures[-1] if failures else None
        found.append(
            Trouble(
                arm=name,
                chunk=chunk,
                attempts=attempts,
                set_aside=poison.is_set_aside(ledger, arm, chunk, alive),
                error=last.error if last else "",
                traceback=last.traceback if last else "",
            )
        )
    return found


def _state(paths: RunPaths, ledger: Ledger, finalized: bool) -> RunState:
    complete = not ledger.progress.chunks_left()
    if complete and finalized:
        return RunState.COMPLETE
    if any(each.is_at_work for each in ledger.sessions.values()) or is_in_background(paths):
        return RunState.COMPLETE if complete else RunState.RUNNING
    if blockers.standing(paths, ledger) is not None:
        return RunState.BLOCKED
    if complete:
        return RunState.COMPLETE
    codes = {each.closed.exit_code for each in _latest_window(ledger) if each.closed}
    if ExitCode.BLOCKED in codes:
        return RunState.BLOCKED
    if codes == {ExitCode.FAILED}:
        return RunState.FAILED
    return RunState.INCOMPLETE


def _why_failed(ledger: Ledger) -> str:
    """What ended the sessions of the latest window, as each wrote it down."""
    ends = [each.closed.reason for each in _latest_window(ledger) if each.closed]
    return "; ".join(dict.fromkeys(ends))


def _latest_window(ledger: Ledger) -> list[SessionFile]:
    """The sessions of the latest window: one, or as many as worked side by side."""
    opened = [session for session in ledger.sessions.values() if session.opened]
    latest = max(opened, key=lambda s: s.opened.sequence if s.opened else 0, default=None)
    return [session for session in opened if latest and session.window == latest.window]


def _windows_left(ledger: Ledger, latest: list[SessionFile], eta_s: float | None) -> int | None:
    if eta_s == 0:
        return 0
    for session in latest:
        if opened := session.opened:
            return ledger.progress.windows_left(eta_s, opened.budget_s, opened.startup_s)
    return None


def _why_unknown(
    ledger: Ledger, latest: list[SessionFile], eta_s: float | None, windows_left: int | None
) -> str | None:
    """Say why time or windows left cannot be told; None where both are."""
    if eta_s is None:
        without = [
            name
            for name, arm in ledger.progress.arms.items()
            if arm.item_s is None and arm.chunks_committed < arm.plan.n_chunks
        ]
        return f"nothing of {', '.join(without)} was computed yet"
    if windows_left is not None:
        return None
    if not latest:
        return "no session was begun yet"
    if all(each.opened is None or each.opened.budget_s is None for each in latest):
        return "the latest session had no --window"
    return "the latest window was too short for a chunk"


def _is_reported(paths: RunPaths) -> bool:
    return (paths.report / checksums.NAME).is_file()  # written last

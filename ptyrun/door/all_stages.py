"""How does one comparison go from its options to its report?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ptyrun.child import ahead
from ptyrun.comparison import scans
from ptyrun.comparison.run import Run
from ptyrun.config import CompareConfig, SessionOptions
from ptyrun.door import executors
from ptyrun.door.executors import Work
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.plan_lock import CurrentPlan
from ptyrun.engine.window import Window
from ptyrun.engine.work import Outcome as SessionOutcome
from ptyrun.errors import ExitCode, WindowClosedError, WindowTooShortError, refuse_unknown
from ptyrun.progress import SILENT, Watcher
from ptyrun.results import Results


@dataclass(frozen=True)
class Outcome:
    """What one call of :func:`compare` came to.

    Attributes
    ----------
    stop : ExitCode
        How it ended: COMPLETE, or INCOMPLETE where it is to be called again.
    run : SessionOutcome
        What was computed, and what is left.
    results : Results, optional
        None while they are not complete.
    is_repeated : bool
        Whether all of it was there already.
    """

    stop: ExitCode
    run: SessionOutcome
    results: Results | None = None
    is_repeated: bool = False


@scans.kept()
@ahead.kept()
def compare(
    config: CompareConfig,
    session: SessionOptions,
    *,
    new: bool = False,
    invalidate: Collection[str] = (),
    reuse: Sequence[Path] = (),
    work: Work | None = None,
    watcher: Watcher = SILENT,
) -> Outcome:
    """Plan, run, finalize and report; called again, go on where the last call stopped.

    Parameters
    ----------
    config : CompareConfig
    session : SessionOptions
    new : bool
        Set the run aside that is there.
    invalidate : collection of str
        Accept changes of these arms, or of ``results``.
    reuse : sequence of Path
        Other runs, from which chunks are taken over that are the same.
    work : callable, optional
        Computes what a planned run lacks; by default who *session* says.
    watcher : Watcher

    Returns
    -------
    Outcome
        ``results`` is None while chunks are missing, and where the window closed or a signal came
        before all of them were made: the next call goes on there. ``is_repeated`` says that all of
        it was there already, as it was asked for.

    Raises
    ------
    PtyrunError
        As the stages do.
    """
    # Each stage is imported when its turn comes: bad input is found within a second, and a window
    # that closes early pays for nothing that it does not reach.
    from ptyrun.comparison import next_step, repeat

    trusted = [arm.name for arm in config.arms if arm.trusted]
    trusted_arms = tuple(dict.fromkeys((*session.trusted_arms, *trusted)))
    # Who gave the words that the run is planned from has said that it is to be believed.
    session = replace(session, trusted_arms=trusted_arms, adopt=True)
    names = [arm.name for arm in config.arms]
    refuse_unknown(session.arms or (), names, "there is no arm {} to work on")
    if reuse:
        from ptyrun.stages.reuse import require_sources

        require_sources(config.output_dir, reuse)
    if not new and not invalidate and (known := repeat.answer(config)) is not None:
        nothing = SessionOutcome(
            ExitCode.COMPLETE, "complete", 0, 0, 0, 0, None, None, interrupted=False
        )
        return Outcome(ExitCode.COMPLETE, nothing, known, is_repeated=True)
    window = Window(session.window_s)
    if new or invalidate or not Run(config.output_dir).paths.manifest.exists():
        next_step.require_planning_window(config, window)
    if not (new or invalidate or reuse or session.dask):
        next_step.require_window(config.output_dir, window, chunks_of=session.arms)
    from ptyrun.comparison import extent
    from ptyrun.door.ahead import beginner
    from ptyrun.stages import plan

    admit = _debug_gate(config, session, watcher)
    on_found = beginner(config, session, new=new, invalidate=invalidate)
    planned = plan.plan(
        config,
        new=new,
        invalidate=invalidate,
        watcher=watcher,
        admit=admit,
        window=window,
        once=session.window_s is not None,
        on_found=on_found,
    )
    if planned.set_aside is not None:
        watcher.note(f"the earlier run was moved to {planned.set_aside}")
    if reuse:
        from ptyrun.stages.reuse import reuse as take_over

        take_over(config.output_dir, reuse, window=Window(session.window_s), watcher=watcher)
    there = Run.of(config.output_dir, planned.manifest)
    if (outlook := extent.outlook(there.progress, session.window_s)) is not None:
        watcher.note(outlook)
    # What computes is imported when something is to be computed.
    outcome = (work or executors.chosen(session))(
        config.output_dir, replace(session, require_debug=None), watcher
    )
    if outcome.stop is not ExitCode.COMPLETE:
        return Outcome(outcome.stop, outcome)
    if outcome.interrupted:
        return Outcome(ExitCode.INCOMPLETE, outcome)
    from ptyrun.stages import finalize, report

    # What another command planned here meanwhile is not what this one was asked for.
    CurrentPlan(there.paths, there.manifest).raise_if_failed()
    window = Window(session.window_s)
    try:
        results = finalize.finalize(config.output_dir, window=window, watcher=watcher, adopt=True)
        report.report(config.output_dir, window=window, has_gone_on=True, watcher=watcher)
    except WindowTooShortError as error:
        if not outcome.chunks_done:
            raise
        watcher.note(str(error))
    except WindowClosedError as error:
        watcher.note(str(error))
    else:
        repeat.remember(config)
        return Outcome(ExitCode.COMPLETE, outcome, results)
    return Outcome(ExitCode.INCOMPLETE, outcome)


def _debug_gate(
    config: CompareConfig, session: SessionOptions, watcher: Watcher
) -> Callable[[Manifest], None] | None:
    debug_dir = session.require_debug
    if debug_dir is None:
        return None
    from ptyrun.comparison import debug_gate

    def admit(wanted: Manifest) -> None:
        debug_gate.require(debug_dir, config.output_dir, wanted, watcher)

    return admit

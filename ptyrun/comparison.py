"""How does one comparison go from its options to its report?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ptyrun.config import CompareConfig, SessionOptions
from ptyrun.engine.work import Outcome
from ptyrun.errors import ExitCode
from ptyrun.progress import SILENT, Watcher
from ptyrun.results import Results


@dataclass(frozen=True)
class ComparisonOutcome:
    """What one call of :func:`compare` came to."""

    stop: ExitCode
    run: Outcome
    results: Results | None = None


def compare(
    config: CompareConfig,
    session: SessionOptions,
    *,
    new: bool = False,
    invalidate: Collection[str] = (),
    watcher: Watcher = SILENT,
) -> ComparisonOutcome:
    """Plan, run, finalize and report; called again, go on where the last call stopped.

    Returns
    -------
    ComparisonOutcome
        ``results`` is None while chunks are missing.

    Raises
    ------
    PtyrunError
        As the stages do.
    """
    from ptyrun.stages import finalize, plan, report, run

    planned = plan.plan(config, new=new, invalidate=invalidate, watcher=watcher)
    if planned.set_aside is not None:
        watcher.note(f"the run that was there is now {planned.set_aside}")
    outcome = run.run(config.output_dir, session, watcher=watcher)
    if outcome.stop is not ExitCode.COMPLETE:
        return ComparisonOutcome(outcome.stop, outcome)
    results = finalize.finalize(config.output_dir, watcher=watcher)
    report.report(config.output_dir)
    return ComparisonOutcome(ExitCode.COMPLETE, outcome, results)

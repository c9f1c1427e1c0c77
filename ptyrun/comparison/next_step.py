"""Does a window hold the next step that cannot be divided? Asked before anything slow is imported.

Told from what earlier windows left: a hint, which leaves everything else to the stage itself.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from ptyrun.comparison import asked
from ptyrun.comparison.run import Run
from ptyrun.config import CompareConfig
from ptyrun.engine import patience, refusal
from ptyrun.engine.costs import Costs
from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.window import Estimate, Window, estimate, nothing_fits
from ptyrun.errors import PtyrunError, WindowTooShortError

FINALIZE, REPORT = "finalize", "report"  # the latter is one step of its own


def require_window(
    run_dir: Path,
    window: Window,
    *,
    chunks_of: Collection[str] | None = None,
    makes: Collection[str] = (FINALIZE, REPORT),
) -> None:
    """See that the next step fits, as far as its cost is known.

    Parameters
    ----------
    run_dir : Path
        Need not be planned.
    window : Window
    chunks_of : collection of str, optional
        Arms to compute; all by default.
    makes : collection of str
        Which stages come next once every chunk is there: ``finalize``, ``report``, none.

    Raises
    ------
    WindowTooShortError
        If it does not; the error names the window that would do.
    """
    if window.budget_s is None:
        return
    try:
        _require(Run(run_dir), window, chunks_of, makes)
    except WindowTooShortError:
        raise
    except (OSError, ValueError, PtyrunError):
        return  # told, and told better, by who needs what could not be read


def require_planning_window(config: CompareConfig, window: Window) -> None:
    """See that the next step towards a plan fits, as far as its cost is known.

    Raises
    ------
    WindowTooShortError
        If it does not; the error names the window that would do.
    """
    if window.budget_s is None:
        return
    paths = Run(config.output_dir).paths
    try:
        costs = Costs(paths.planning_costs, asked.plan(config))
    except OSError:
        return  # told by who opens the scan
    with refusal.noted(paths, None):
        costs.refuse_open_step(window)


def _require(
    run: Run, window: Window, chunks_of: Collection[str] | None, makes: Collection[str]
) -> None:
    with refusal.noted(run.paths, run.ledger):
        _require_next(run, window, chunks_of, makes)


def _require_next(
    run: Run, window: Window, chunks_of: Collection[str] | None, makes: Collection[str]
) -> None:
    arms = run.progress.arms
    lacking = [arm for arm in arms.values() if arm.chunks_committed < arm.plan.n_chunks]
    wanted = [arm for arm in lacking if chunks_of is None or arm.plan.name in chunks_of]
    if wanted:
        _require_chunk(wanted, window)
    elif not lacking:
        costs = Costs(run.paths.costs, run.manifest.digest)
        step = costs.open_step
        if step is not None and (REPORT if step == REPORT else FINALIZE) in makes:
            costs.refuse_open_step(window)


def _require_chunk(arms: list[ArmProgress], window: Window) -> None:
    found = [_cheapest(arm) for arm in arms]
    known = [each for each in found if each is not None]
    if len(known) < len(found) or not known:
        return
    needed = min(known, key=Estimate.total_s)
    if needed.total_s() <= window.remaining_s:
        return
    short = nothing_fits(window, needed)
    raise WindowTooShortError(
        "the next chunk does not fit the window",
        why=short.why,
        do=patience.advice(short.enough_s),
        enough_s=short.enough_s,
    )


def _cheapest(arm: ArmProgress) -> Estimate | None:
    with suppress(ValueError):
        n_items = min(len(arm.plan.chunk_range(chunk)) for chunk in arm.missing())
        return estimate(arm, n_items, loaded=False, first=True)
    return None

"""May a session work, and who does: this process, several here, or those of a cluster?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ptyrun.config import SessionOptions
from ptyrun.engine.work import Outcome
from ptyrun.progress import Watcher

if TYPE_CHECKING:
    from ptyrun.comparison.tracked import TrackedProcess

Work = Callable[[Path, SessionOptions, Watcher], Outcome]


def work(
    run_dir: Path, session: SessionOptions, reuse: Sequence[Path], watcher: Watcher
) -> Outcome:
    """Work on a planned run for one session, and take chunks of other runs over before.

    Raises
    ------
    PtyrunError
        As `admitted`, the check of the window and the work itself.
    """
    from ptyrun.engine.window import Window

    session = admitted(run_dir, session, watcher)
    if not (session.crew or reuse or session.dask):
        from ptyrun.comparison import next_step

        window = Window(session.window_s)
        next_step.require_window(run_dir, window, chunks_of=session.arms, makes=())
    if reuse:
        from ptyrun.stages.reuse import reuse as take_over

        take_over(run_dir, reuse, window=Window(session.window_s), watcher=watcher)
    return chosen(session)(run_dir, session, watcher)


def start(
    run_dir: Path,
    session: SessionOptions,
    reuse: Sequence[Path],
    watcher: Watcher,
    *,
    take_over: bool,
    more: tuple[str, ...] = (),
) -> TrackedProcess:
    """Detach a session that completes a run; who starts it hears of a refusal at once."""
    from ptyrun.background import control

    admitted(run_dir, session, watcher)
    if reuse:
        from ptyrun.stages.reuse import require_sources

        require_sources(run_dir, reuse)
    # Each window asks again, and takes over what one before could not.
    return control.start(run_dir, (*session.words(reuse), *more), take_over=take_over)


def admitted(run_dir: Path, session: SessionOptions, watcher: Watcher) -> SessionOptions:
    """See that the run is believed and its programs trusted, and that the debug run is there.

    Raises
    ------
    PtyrunError
        As `ptyrun.engine.ownership.require_own`, `ptyrun.comparison.trust.require` and
        `ptyrun.comparison.debug_gate.require`.
    """
    from ptyrun.comparison import trust
    from ptyrun.comparison.run import Run
    from ptyrun.engine import ownership

    run = Run(run_dir)
    ownership.require_own(run.manifest, run.paths, adopt=session.adopt)
    trust.require(run, session)
    if session.require_debug is None:
        return session
    from ptyrun.comparison import debug_gate

    debug_gate.require(session.require_debug, run_dir, run.manifest, watcher)
    return replace(session, require_debug=None)


def chosen(session: SessionOptions) -> Work:
    """Give the function that works on a run as *session* asks."""
    if session.dask is not None:
        from ptyrun.parallel import cluster

        return cluster.work
    if session.workers != 1:
        from ptyrun.parallel import workers

        return workers.work
    from ptyrun.stages.run import run

    return run

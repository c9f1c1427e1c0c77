"""May a session work, and who does: this process, several here, or those of a cluster?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ptyrun.config import SessionOptions

if TYPE_CHECKING:
    from ptyrun.door.all_stages import Work
    from ptyrun.progress import Watcher


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
    if session.workers > 1:
        from ptyrun.parallel import workers

        return workers.work
    from ptyrun.stages.run import run

    return run

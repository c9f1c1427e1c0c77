"""Who does the work of one session: this process, several here, or those of a cluster?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptyrun.config import SessionOptions

if TYPE_CHECKING:
    from ptyrun.comparison import Work


def chosen(session: SessionOptions) -> Work:
    """Give the function that works on a run as *session* asks."""
    if session.dask is not None:
        from ptyrun.background import cluster

        return cluster.work
    if session.workers > 1:
        from ptyrun.background import workers

        return workers.work
    from ptyrun.stages import run

    return run.run

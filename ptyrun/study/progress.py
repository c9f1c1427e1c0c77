"""What is kept of a stage for later windows? Names; progress adds one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from ptyrun.comparison.counts import Counts
from ptyrun.errors import PtyrunError
from ptyrun.host import listing
from ptyrun.study.hub import Hub
from ptyrun.study.pieces import names_of
from ptyrun.study.stage import Stage
from ptyrun.texts import counted


def kept(hub: Hub, stage: Stage, facts: str) -> frozenset[str]:
    """Name the pieces of a stage, and what its comparison has computed."""
    pieces = names_of(stage.pieces(hub, facts))
    return pieces.union(_computed(hub, stage)) if stage.workspace else pieces


def said(hub: Hub, stage: Stage, before: Collection[str], after: Collection[str]) -> str:
    """Say how a stage advanced from what was kept *before* to what is kept *after*."""
    new = len({*after} - {*before})
    if stage.workspace:
        from ptyrun.comparison.run import Run

        run = Run(hub.path(stage.workspace))
        with suppress(PtyrunError):
            counts = Counts.of(run.progress.arms.values())
            computed = f"{counts.said_of_chunks} done"
            return computed if new else f"nothing new, {computed}"
    return f"{counted(new, 'part')} more kept" if new else "nothing new is kept"


def _computed(hub: Hub, stage: Stage) -> Iterator[str]:
    from ptyrun.comparison.run import Run

    run = Run(hub.path(stage.workspace))
    paths = run.paths
    for folder in (paths.planning, paths.steps):
        yield from (f"{folder.name}/{entry.name}" for entry in listing.entries(folder))
    yield from (
        path.name for path in (paths.manifest, paths.results, paths.report) if path.exists()
    )
    if paths.manifest.exists():
        try:
            yield f"{run.progress.chunks_committed} chunks"
        except PtyrunError:
            return

"""May a run be set aside by the very command that began it?

``--new`` with a window, repeated by a loop, would set the run aside at every call, for ever. So the
plan notes that it was begun so, and as long as the run is incomplete the same command is refused.
"""

from __future__ import annotations

from dataclasses import replace

from ptyrun.engine.manifest import Manifest
from ptyrun.errors import UsageError
from ptyrun.paths import RunPaths

BEGUN_AFRESH = "begun_afresh"  # no part of the run's identity


def noted(manifest: Manifest) -> Manifest:
    """The plan, with the note that ``--new`` began it."""
    return replace(manifest, sources={**manifest.sources, BEGUN_AFRESH: True})


def refuse_to_repeat(paths: RunPaths, current: Manifest | None, *, is_the_same: bool) -> None:
    """See that the run is not one that the same command began and has not completed.

    Raises
    ------
    UsageError
        If it is.
    """
    begun = current is not None and current.sources.get(BEGUN_AFRESH)
    if begun and is_the_same and not paths.results.exists():
        raise UsageError(
            f"{paths.root} was started by this command and is not complete",
            why="--new with --window, repeated, would start over at every call and never end",
            do="leave out --new to continue; or rename the folder, to start over",
        )

"""What does a comparison's folder hold that only grows, and that no list of checksums names?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ptyrun.host import listing
from ptyrun.study import stage_log
from ptyrun.study.hub import Hub
from ptyrun.study.stage import Stage


def states(hub: Hub, stage: Stage) -> dict[str, str]:
    """Give length and SHA-256 of each of them, by name; none where the stage has no workspace.

    Later sessions add files, and lines to these; whatever else becomes of them is a change.
    """
    if not stage.workspace:
        return {}
    return {
        path.relative_to(hub.root).as_posix(): stage_log.state_of(path)
        for path in _notes(hub.path(stage.workspace))
        if path.is_file() and not path.is_symlink()
    }


def _notes(folder: Path) -> Iterator[Path]:
    from ptyrun.comparison.run import Run

    paths = Run(folder).paths
    yield from listing.matching(paths.ledger, "*.jsonl")
    yield from listing.matching(paths.logs, "*.jsonl")
    yield paths.config

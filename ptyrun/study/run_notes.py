"""What does a comparison's folder hold that only grows, and that no list of checksums names?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ptyrun.comparison.counts import Counts
from ptyrun.comparison.run import Run
from ptyrun.errors import PtyrunError
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


def incomplete(hub: Hub, stage: Stage, recorded: Mapping[str, str]) -> str:
    """Say what a comparison lacks since its stage was done; empty if that is nothing.

    Its chunks are counted where its ledger is not the one that was *recorded*: who has damaged
    chunks discarded writes that there.
    """
    if not stage.workspace or not recorded:
        return ""
    ledger = Run(hub.path(stage.workspace)).paths.ledger
    found = {
        path.relative_to(hub.root).as_posix(): path.lstat().st_size
        for path in listing.matching(ledger, "*.jsonl")
    }
    parts = f"{ledger.relative_to(hub.root).as_posix()}/"
    known = {
        name: int(size) if (size := state.partition(" ")[0]).isdecimal() else -1
        for name, state in recorded.items()
        if name.startswith(parts)
    }
    return "" if found == known else missing_chunks(hub.path(stage.workspace))


def missing_chunks(folder: Path) -> str:
    """Say how many chunks a comparison lacks; empty if none, or if its ledger cannot be read."""
    try:
        chunks = Counts.of(Run(folder).ledger.progress.arms.values())
    except PtyrunError:
        return ""
    return chunks.said_of_chunks if chunks.is_partial else ""


def _notes(folder: Path) -> Iterator[Path]:
    paths = Run(folder).paths
    yield from listing.matching(paths.ledger, "*.jsonl")
    yield from listing.matching(paths.logs, "*.jsonl")
    yield paths.config

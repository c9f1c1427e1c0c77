"""Which files in a run's folder are not ptyrun's? They are named, and left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from ptyrun.comparison import artifacts
from ptyrun.host import checksums, durable, listing
from ptyrun.paths import OF_A_STUDY, RunPaths
from ptyrun.texts import printable

_SHOWN = 5
_PASSING = f"*{durable.PARTIAL}"


def strangers(paths: RunPaths) -> list[str]:
    """Name them by path below the run's folder; a folder of strangers by its own name."""
    top = (
        name
        for name in _names(paths.root)
        if not artifacts.is_own(paths, paths.root / name) and not _any(OF_A_STUDY, name)
    )
    sorts = {
        paths.ledger: ("*.jsonl",),
        paths.superseded: ("*.json",),
        paths.blocked: ("*.md",),
        paths.logs: ("session-*.jsonl*", "*.log*"),
    }
    below = [
        f"{folder.name}/{name}"
        for folder, own in sorts.items()
        for name in _names(folder)
        if not _any(own, name)
    ]
    return [*map(printable, [*top, *below, *_unvouched(paths.report), *_unvouched(paths.preview)])]


def named(found: list[str]) -> str:
    """Name the first of them, and how many more there are."""
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def in_the_way(paths: RunPaths) -> list[Path]:
    """Name what a run would write over, in a folder that holds no run yet."""
    # What a call leaves that was killed before it planned; nothing else in these is touched.
    # A config.toml of another's making is never written over.
    left = (paths.cache, paths.claims, paths.logs, paths.blocked, paths.config)
    harmless = {path.name for path in left}
    own = [paths.root / name for name in paths.names() - harmless]
    return sorted({*artifacts.found_in(paths), *(path for path in own if path.exists())})


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _unvouched(folder: Path) -> Iterator[str]:
    try:
        known = {name.partition("/")[0] for name in checksums.vouched(folder)}
    except ValueError:
        return
    for name in _names(folder):
        if name not in known and name != checksums.NAME:
            yield f"{folder.name}/{name}"


def _names(folder: Path) -> list[str]:
    names = (entry.name for entry in listing.entries(folder))
    return [name for name in names if not fnmatchcase(name, _PASSING)]

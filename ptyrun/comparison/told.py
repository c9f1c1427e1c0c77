"""What was a watcher already warned of? One call plans and measures, and finds the same twice."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakKeyDictionary

from ptyrun.progress import Watcher

_told: WeakKeyDictionary[Watcher, set[str]] = WeakKeyDictionary()


def does_not_belong(what: Path | str, reason: str) -> str:
    """Say that a reconstruction does not belong to the scan."""
    return f"{what} does not belong to this scan: {reason}"


def warn(watcher: Watcher, text: str) -> None:
    """Warn, and remember it for as long as the watcher lives."""
    _told.setdefault(watcher, set()).add(text)
    watcher.warn(text)


def was_told(watcher: Watcher, path: Path, reason: str) -> bool:
    """Whether a watcher knows that a reconstruction does not belong to the scan, and why."""
    text = does_not_belong(path.name, reason)
    return any(each.endswith(text) for each in _told.get(watcher, ()))

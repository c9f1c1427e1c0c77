"""In what do two hubs of the same study differ, times and names of sessions apart?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptyrun.study.hub import RECORD

# Who worked, when, and what speeds up the next call; and what earlier studies left.
OF_SESSIONS = {"ledger", "logs", "claims", "cache", "locks", "cli", "archive"}
# They tell or digest times, and say nothing that other files do not hold.
OF_TIMES = {
    *("owner.json", "comparison.log", "SHA256SUMS", "index.html", "report.md", "config.toml"),
    "study.json",
}
TIME_ENDS = ("_s", "_at")
# Of records: digests of what is compared itself.
OF_RECORDS = {"inputs", "outputs"}
SEAL = "sha256"  # over a whole document, its times and places included
TEXTS = (".csv", ".md", ".txt", ".tex", ".html")


def differences(one: Path, other: Path) -> list[str]:
    """Name files that only one hub has, or whose content differs."""
    ours, theirs = dict(_files(one)), dict(_files(other))
    return [
        name
        for name in sorted({*ours, *theirs})
        if name not in ours
        or name not in theirs
        or _content(ours[name], one) != _content(theirs[name], other)
    ]


def n_compared(hub: Path) -> int:
    """How many files of a hub are looked at."""
    return sum(1 for _ in _files(hub))


def _files(hub: Path) -> Iterator[tuple[str, Path]]:
    for path in hub.rglob("*"):
        place = path.relative_to(hub)
        is_work = OF_SESSIONS.intersection(place.parts) or place.name in OF_TIMES
        if path.is_file() and not is_work:
            yield place.as_posix(), path


def _content(path: Path, hub: Path) -> Any:
    data = path.read_bytes().replace(str(hub).encode(), b"HUB")
    if path.suffix == ".json":
        document = _timeless(json.loads(data))
        if not isinstance(document, dict):
            return document
        left_out = {SEAL} | (OF_RECORDS if path.name.endswith(RECORD) else set())
        return {key: value for key, value in document.items() if key not in left_out}
    if path.suffix in TEXTS:
        return [line for line in data.decode().splitlines() if not _tells_time(line)]
    return data


def _tells_time(line: str) -> bool:
    """Whether a line of a table or inventory is about times, or names a file of a session."""
    return "_time" in line or not OF_SESSIONS.isdisjoint(line.split("/"))


def _timeless(document: Any) -> Any:
    if isinstance(document, dict):
        return {
            key: _timeless(value)
            for key, value in document.items()
            if not key.endswith(TIME_ENDS) and "_time" not in key
        }
    if isinstance(document, list):
        return [_timeless(each) for each in document if not _is_row_of_time(each)]
    return document


def _is_row_of_time(each: Any) -> bool:
    """Whether an entry of a list is the figure of a time, by its name."""
    return isinstance(each, dict) and "_time" in str(each.get("metric", ""))

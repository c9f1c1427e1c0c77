"""How do a call's words become the options of one session?"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from ptyrun.config import Replanning, SessionOptions
from ptyrun.config.options import entries, gather
from ptyrun.door.words import Duration
from ptyrun.durations import parse_duration
from ptyrun.errors import UsageError, refuse_unknown

SESSION = {entry.name: entry for entry in entries(SessionOptions)}
ARM = "arm"
REPLANNING = {entry.name: entry for entry in entries(Replanning)}
_MANY = {ARM, *(name for name, entry in {**SESSION, **REPLANNING}.items() if entry.is_many)}


def seconds(duration: Duration) -> float | None:
    """Read a duration: seconds, or text with a unit.

    Examples
    --------
    >>> seconds("2.5m"), seconds(170), seconds(None)
    (150.0, 170.0, None)
    """
    if duration is None:
        return None
    if isinstance(duration, str):
        return parse_duration(duration)
    if isinstance(duration, bool) or not isinstance(duration, Real):
        raise UsageError(
            f"{duration!r:.80} is not a duration",
            why=f"it is of type {type(duration).__name__}",
            do="give seconds, or text like '170s', '2.5m' or '1h30m'",
        )
    return float(duration)


def path(given: str | os.PathLike[str]) -> Path:
    """Read what names a file or folder; raises UsageError if it is of another type."""
    try:
        return Path(given)
    except TypeError as error:
        raise UsageError(
            f"{given!r:.80} names no file or folder",
            why=f"it is of type {type(given).__name__}",
            do="give a path",
        ) from error


def plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Take what was given as the tables of options read it; None is as configured.

    Examples
    --------
    >>> plain({"only_arm": "pinn", "dask": None, "reuse": [Path("other")]})
    {'only_arm': ['pinn'], 'reuse': ['other']}
    """
    found = {}
    for name, value in given.items():
        if value is None:
            continue
        if isinstance(value, str | os.PathLike):
            value = [os.fspath(value)] if name in _MANY else os.fspath(value)
        elif not isinstance(value, Mapping) and isinstance(value, Collection):
            value = [os.fspath(v) if isinstance(v, os.PathLike) else _scalar(v) for v in value]
        found[name] = _scalar(value)
    return found


def _scalar(value: Any) -> Any:
    """What a number of NumPy is in Python; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def require_known(given: Collection[str], known: Collection[str]) -> None:
    """Refuse a word that is none; raises UsageError, naming the one that may be meant."""
    why = "options have the names of the command line"
    remedy = "correct the name; `ptyrun compare --help` lists all"
    refuse_unknown(given, known, "there is no option {}", why, remedy)


def session_options(window: Duration, words: Mapping[str, Any]) -> SessionOptions:
    """Build the options of a session.

    Raises
    ------
    UsageError
        If a word is none, a value cannot be used, or two contradict each other.
    """
    given = plain({**words, "window": seconds(window)})
    if ARM in given:  # the old name
        given["only_arm"] = [*given.get("only_arm", ()), *given.pop(ARM)]
    require_known(given, SESSION)
    return SessionOptions(**gather(SessionOptions, given))


def replanning(words: Mapping[str, Any]) -> Replanning:
    """Say what becomes of a run that is there, and which others give chunks."""
    given = plain(words)
    given["reuse"] = [str(Path(folder).resolve()) for folder in given.get("reuse", ())]
    return Replanning(**gather(Replanning, given))

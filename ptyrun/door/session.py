"""How do a call's words become the options of one session?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from ptyrun.config import SessionOptions
from ptyrun.durations import parse_duration
from ptyrun.errors import UsageError, nearest

Duration = float | str | None


class SessionWords(TypedDict, total=False):
    """What bounds and helps one session, by the words of ``ptyrun run``; see ``--help``.

    ``arm`` and ``trust_model`` name arms; durations are seconds, or text like ``"170s"``.
    """

    max_chunks: int | None
    arm: Sequence[str]
    shared_folder: bool
    device_wait: float | str
    lock_cpu: bool
    workers: int
    dask: str | None
    require_debug: str | os.PathLike[str] | None
    trust_model: Sequence[str]
    adopt: bool


def seconds(duration: Duration) -> float | None:
    """Read a duration: seconds, or text with a unit.

    Examples
    --------
    >>> seconds("2.5m"), seconds(170), seconds(None)
    (150.0, 170.0, None)
    """
    if duration is None:
        return None
    return parse_duration(duration) if isinstance(duration, str) else float(duration)


def session_options(window: Duration, words: SessionWords) -> SessionOptions:
    """Build the options of a session.

    Raises
    ------
    UsageError
        If a word is none, or two contradict each other.
    """
    given: dict[str, Any] = dict(words)
    known = [*SessionWords.__annotations__]
    for word in given:
        if word not in known:
            raise UsageError(
                f"there is no option {word!r}",
                why=f"a session takes window, {', '.join(known)}{nearest(word, known)}",
                do="correct the name",
            )
    debug = given.get("require_debug")
    if given.get("workers", 1) > 1 and given.get("dask"):
        raise UsageError(
            "workers and dask contradict each other",
            why="workers are either processes here, or those of the cluster",
            do="give one of them",
        )
    return SessionOptions(
        window_s=seconds(window),
        max_chunks=given.get("max_chunks"),
        arms=_names(given.get("arm", ())) or None,
        shared_folder=given.get("shared_folder", False),
        device_wait_s=seconds(given.get("device_wait")) or 0.0,
        lock_cpu=given.get("lock_cpu", False),
        workers=given.get("workers", 1),
        dask=given.get("dask"),
        require_debug=None if debug is None else Path(debug).resolve(),
        trusted_arms=_names(given.get("trust_model", ())),
        adopt=given.get("adopt", False),
    )


def _names(given: Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)

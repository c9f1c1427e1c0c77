"""Which window would do? Told to the loop that repeats windows, if one asked.

A loop names a file in the environment; a window that was too short leaves there how many seconds
would do, one that achieved something leaves 0, and one that waited for others says so. A hint:
nothing is said where the file cannot be written.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ptyrun.host.deadline import LOOP
from ptyrun.host.signals import ASKED

ASKED_FOR = LOOP
_AGAIN, _GOES_ON = "run the same command again", "the next window goes on"
_LONGEST_S = 10**7
WAITED = "waited"


def what_next(before: str, after: str = "") -> str:
    """Say who goes on where work remains: the loop that repeats windows, or the reader."""
    return f"{before}: {_GOES_ON if _is_repeated() else _AGAIN + after}"


def said_of_a_window(error: object) -> str:
    """Say why a window ended with work left; in a loop there is nothing to do about that."""
    return str(error).replace(_AGAIN, f"nothing: {_GOES_ON}") if _is_repeated() else str(error)


def _is_repeated() -> bool:
    return ASKED_FOR in os.environ and not ASKED.was


def advise(enough_s: float) -> None:
    """Leave word that a window of *enough_s* seconds would do."""
    if math.isfinite(enough_s):
        _leave(math.ceil(enough_s))


def advise_nothing() -> None:
    """Leave word that something was achieved."""
    _leave(0)


def advise_patience() -> None:
    """Leave word that this window does not end for want of time: it waited for others."""
    _leave(WAITED)


def _leave(word: int | str) -> None:
    if path := os.environ.get(ASKED_FOR):
        with suppress(OSError):
            Path(path).write_text(f"{word}\n", encoding="ascii")


class Advice:
    """What the windows of a loop say would do.

    Attributes
    ----------
    has_waited : bool
        Whether the window that was heard last waited for others.
    """

    def __init__(self, path: Path) -> None:
        self.has_waited = False
        self._path = path
        self.environment = {**os.environ, ASKED_FOR: str(path)}

    def take(self) -> int | None:
        """Seconds that the last window asked for; None if it asked for none."""
        self.has_waited = False
        try:
            word = self._path.read_text(encoding="ascii")
            self._path.unlink()
            self.has_waited = word.strip() == WAITED
            enough_s = int(word)
        except (OSError, ValueError):
            return None
        return enough_s if 0 < enough_s < _LONGEST_S else None


@contextmanager
def asked_for() -> Iterator[Advice]:
    """Make a place for the advice of the windows of one loop."""
    from tempfile import TemporaryDirectory  # only a loop needs it

    with TemporaryDirectory(prefix="ptyrun-") as folder:
        yield Advice(Path(folder) / "window_s")

"""How many windows of this command came to nothing, one after the other?

A window that ends at its deadline while it still imports leaves no word in the run, which may not
even be there yet. So each window of a command leaves a small file on this machine, deleted by the
first progress, and by every end but that of a window. Two such files, and a third window in vain
ends with an error instead of one more "run the same command again", which a loop would obey for
ever; a window that reaches the run ends so in good order as well. Beside them stands which commands
work on which folder, so that progress there, by whatever command, begins the count of all of them
anew. A hint: nothing is counted where the folder cannot be used, and a kill before the deadline is
none of it.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ptyrun.errors import ExitCode
from ptyrun.host.advice import advise, advise_nothing, advise_patience
from ptyrun.host.clock import boot_clock_s
from ptyrun.host.deadline import DEADLINE
from ptyrun.host.runtime import make_own, user_folder

IN_A_ROW = 3
MORE = 2  # by so much the next window should be longer, where nothing else is known
_KEPT = 16


class Attempts:
    """The windows of one command, as this machine saw them.

    Attributes
    ----------
    before : int
        How many came to nothing just before this one, and were at least as long.
    has_progressed : bool
        Whether this one has achieved something.
    """

    def __init__(self) -> None:
        self.before = 0
        self._window_s = 0.0
        self._folder: Path | None = None
        self._own: Path | None = None
        self._places: set[Path] = set()
        self.has_progressed = False

    def begin(self, words: Sequence[str], window_s: float) -> str | None:
        """Count this window; say so if it may not come to nothing any more.

        Parameters
        ----------
        words : sequence of str
            The command without its window.
        window_s : float
        """
        if DEADLINE.at_s is None:
            return None
        try:
            if not make_own(user_folder()):
                return None
            command = _windows() / _name(words)
            command.mkdir(mode=0o700, parents=True, exist_ok=True)
            row = [each for each in _before(command) if each.window_s >= window_s]
            own = command / f"{os.getpid()}-{boot_clock_s():.2f}"
            _note(own, DEADLINE.at_s, window_s, MORE * window_s)
        except (OSError, ValueError):
            return None
        self._folder, self._own = command, own
        self.before, self._window_s = len(row), window_s
        for word in words[1:]:
            with suppress(OSError, ValueError):
                if (folder := Path(word)).is_dir():
                    self._note_command(_place(folder))
        if self.before + 1 < IN_A_ROW:
            return None
        DEADLINE.end_with(ExitCode.FAILED)
        enough_s = math.ceil(max(each.enough_s for each in row))
        advise(enough_s)
        return (
            f"the last {self.before} windows of this command made no progress: if this one of "
            f"{window_s:g} s does too, it ends with exit code {int(ExitCode.FAILED)}; "
            f"use --window {enough_s}s or more"
        )

    def works_on(self, folder: Path) -> None:
        """Say where this process works: progress there is that of every command that does so."""
        place = _place(folder)
        self._places.add(place)
        self._note_command(place)

    def _note_command(self, place: Path) -> None:
        if self._folder is None:
            return
        with suppress(OSError):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            (place / self._folder.name).touch()

    def progressed(self) -> None:
        """Count anew: something was achieved that the next window need not do again."""
        if not self.has_progressed:
            advise_nothing()
            self.has_progressed = True
        DEADLINE.end_with(ExitCode.INCOMPLETE)
        self.before = 0
        for place in self._places:
            with suppress(OSError):
                for command in place.iterdir():
                    _clear(_windows() / command.name)
                _clear(place)
        if self._folder is not None:
            _clear(self._folder)
        self._folder = self._own = None

    def fell_short(self, enough_s: float | None = None) -> None:
        """Let this window count at once: it ends in good order, and *enough_s* would have done."""
        if self._own is not None:
            enough_s = MORE * self._window_s if enough_s is None else enough_s
            with suppress(OSError):
                _note(self._own, boot_clock_s(), self._window_s, enough_s)

    def withdraw(self, *, has_waited: bool = False) -> None:
        """Do not count this window: it does not end for want of time.

        One that *has_waited* for others is none that a loop counts, either.
        """
        if has_waited and not self.has_progressed:
            advise_patience()
        if self._own is None:
            return
        DEADLINE.end_with(ExitCode.INCOMPLETE)
        with suppress(OSError):
            self._own.unlink()
        self._own = None


ATTEMPTS = Attempts()  # a process is one window


def _windows() -> Path:
    return user_folder() / "windows"


def _place(folder: Path) -> Path:
    """Where the commands are named that work on *folder*."""
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return user_folder() / "places" / name


def _clear(folder: Path) -> None:
    with suppress(OSError):
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()


def _name(words: Sequence[str]) -> str:
    text = "\0".join([os.fspath(Path.cwd()), *words])
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:32]


@dataclass(frozen=True)
class _Window:
    """How long one was, and which would have done."""

    window_s: float
    enough_s: float


def _note(own: Path, deadline_s: float, window_s: float, enough_s: float) -> None:
    own.write_text(f"{deadline_s} {window_s} {enough_s}", encoding="ascii")


def _before(folder: Path) -> list[_Window]:
    """Give the windows that reached their end; others were killed, or still run."""
    found = []
    paths = sorted(folder.iterdir())
    for old in paths[:-_KEPT]:
        old.unlink(missing_ok=True)
    for path in paths[-_KEPT:]:
        with suppress(OSError, ValueError, TypeError):
            deadline_s, *told = map(float, path.read_text(encoding="ascii").split())
            if deadline_s <= boot_clock_s():
                found.append(_Window(*told))
    return found

"""What did each step of a run take, and which did a window cut off?

One small file, a hint: it may be deleted, and one that cannot be read or written, or that somebody
else wrote, is none. A window that is known not to hold the next step is refused before any work.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ptyrun.durations import format_duration
from ptyrun.engine import ownership
from ptyrun.engine.window import MARGIN, SLACK, Window
from ptyrun.errors import (
    ForeignFileError,
    StorageError,
    WindowClosedError,
    WindowTooShortError,
)
from ptyrun.host import durable
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.documents import MAX_BYTES
from ptyrun.host.regular import read_text
from ptyrun.host.typed_json import parse_any

SCHEMA = 1
# Once may have been a kill at any moment; twice in the same step is a window that is too short.
BELIEVED_CUTS = 2
MADE_SO_FAR = "all chunks are computed; what was assembled and measured so far is kept"


@dataclass(frozen=True)
class Step:
    """What is known of one step.

    Attributes
    ----------
    took_s : float, optional
        When it last ran to its end.
    cut_after_s : float
        The longest time that a window had for it in vain, of those since.
    cuts : int
        How many these were.
    """

    took_s: float | None = None
    cut_after_s: float = 0.0
    cuts: int = 0

    @property
    def needs_s(self) -> float:
        """Seconds that it will take at least, as far as is known; 0 if nothing is."""
        cut_s = 2 * self.cut_after_s if self.cuts >= BELIEVED_CUTS else 0.0
        return max(self.took_s or 0.0, cut_s)


@dataclass
class Outcome:
    """What a step says of itself: whether later windows need not do it again."""

    is_kept: bool = True


class Costs:
    """The steps of one run, by name.

    Parameters
    ----------
    path : Path
    run : str
        The manifest's digest: what another run cost is not believed.
    so_far : str
        What stays of these steps where a window ends between two of them.
    """

    def __init__(self, path: Path, run: str, so_far: str = MADE_SO_FAR) -> None:
        self._path = path
        self._run = run
        self._so_far = so_far
        self._steps: dict[str, Step] = {}
        self._open: str | None = None
        self._before = Step()
        self._reached_after_s = 0.0
        self.finished = 0
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, ForeignFileError):
            self._read(ownership.read_signed(read_text(path, MAX_BYTES)))

    def _read(self, document: dict[str, Any]) -> None:
        if document["schema"] != SCHEMA or document["run"] != self._run:
            return
        self.finished = int(document["finished"])
        self._open = None if document["open"] is None else str(document["open"])
        reached_s = float(document.get("reached_after_s", 0.0))
        self._reached_after_s = reached_s if math.isfinite(reached_s) else 0.0
        for name, step in document["steps"].items():
            found = Step(**step)
            times = [time_s for time_s in (found.took_s, found.cut_after_s) if time_s is not None]
            if all(math.isfinite(time_s) and time_s >= 0 for time_s in times) and found.cuts >= 0:
                self._steps[name] = found

    @property
    def took_s(self) -> dict[str, float]:
        """Seconds of every step that ran to its end, by its name."""
        took = {name: step.took_s for name, step in self._steps.items()}
        return {name: seconds for name, seconds in took.items() if seconds is not None}

    def needs_s(self, step: str) -> float:
        """Seconds that *step* will take at least; 0 if nothing is known of it."""
        return self._steps.get(step, Step()).needs_s

    @property
    def open_step(self) -> str | None:
        """The indivisible step that an earlier window could not hold, or did not end."""
        return self._open

    def refuse_open_step(self, window: Window) -> None:
        """See that *window*, at its start, holds what an earlier one could not.

        Raises
        ------
        WindowTooShortError
            If it does not; the error names the window that would do.
        """
        if self._open is not None:
            needs_s = self.needs_s(self._open)
            refuse_if_too_short(self._open, needs_s, window, after_s=self._reached_after_s)

    @contextmanager
    def measured(
        self, step: str, window: Window, *, in_blocks: bool = False, has_gone_on: bool = False
    ) -> Iterator[Outcome]:
        """Do *step*, and note what it took.

        Parameters
        ----------
        step : str
        window : Window
        in_blocks : bool
            Whether a part of it is kept as well: then it is begun in any window.
        has_gone_on : bool
            Whether this window achieved something already: then it is not refused but over.

        Raises
        ------
        WindowTooShortError
            If the window is known not to hold it; then it is not begun.
        WindowClosedError
            The same, where the window has achieved something.
        """
        if window.remaining_s <= 0:
            raise self._closed(step, window)
        if not ATTEMPTS.has_progressed:  # what came before is no more than a start
            known_s = self._reached_after_s or math.inf  # a start on a busy machine is not a rule
            self._reached_after_s = min(known_s, round(window.elapsed_s, 3))
        if not in_blocks:
            try:
                refuse_if_too_short(step, self.needs_s(step), window)
            except WindowTooShortError as error:
                self._open = step
                self._write()
                if has_gone_on:
                    raise self._closed(step, window) from error
                raise
        self._begin(step, window, is_open=not in_blocks)
        began_s = time.monotonic()
        outcome = Outcome()
        try:
            yield outcome
        except BaseException:
            # It ended in good order, with an error or by a signal: that says nothing of the time.
            self._end(step, self._before)
            raise
        if outcome.is_kept:
            self._count()
        self._end(step, Step(took_s=round(time.monotonic() - began_s, 3)))

    def advance(self) -> None:
        """Count a part of a step that was kept."""
        self._count()
        self._write()

    def part_kept(self, step: str) -> None:
        """Count a part of an open *step* that was kept: if it is cut, it was not in vain."""
        self._steps[step] = self._before
        self._open = None
        self.advance()

    def _closed(self, step: str, window: Window) -> WindowClosedError:
        budget_s = format_duration(window.budget_s or 0)
        return WindowClosedError(
            f"the window of {budget_s} closed before the step `{step}`",
            why=self._so_far,
            do="run the same command again",
        )

    def _count(self) -> None:
        self.finished += 1
        ATTEMPTS.progressed()

    def _begin(self, step: str, window: Window, *, is_open: bool) -> None:
        known = self._steps.get(step, Step())
        self._before = known
        if math.isfinite(window.remaining_s):
            # What the next session will read if this one is cut.
            given_s = round(max(window.remaining_s, known.cut_after_s), 3)
            self._steps[step] = replace(known, cut_after_s=given_s, cuts=known.cuts + 1)
        self._open = step if is_open else None
        self._write()

    def _end(self, step: str, known: Step) -> None:
        self._steps[step] = known
        self._open = None
        self._write()

    def _write(self) -> None:
        document = {
            "schema": SCHEMA,
            "run": self._run,
            "finished": self.finished,
            "open": self._open,
            "reached_after_s": self._reached_after_s,
            "steps": {name: vars(step) for name, step in self._steps.items()},
        }
        with suppress(OSError, StorageError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            durable.write_hint(self._path, ownership.signed(document).encode())


def refuse_if_too_short(step: str, needs_s: float, window: Window, *, after_s: float = 0.0) -> None:
    """Refuse to begin what the window cannot hold, *after_s* seconds from its start or now.

    Raises
    ------
    WindowTooShortError
        With the window that would do.
    """
    used_s = max(window.elapsed_s, after_s)
    if used_s + MARGIN * needs_s <= (math.inf if window.budget_s is None else window.budget_s):
        return
    enough_s = math.ceil(SLACK * (used_s + MARGIN * needs_s))
    raise WindowTooShortError(
        f"the step `{step}` does not fit the window of {format_duration(window.budget_s or 0)}",
        why=f"it takes {format_duration(needs_s)}, and {format_duration(used_s)} of the window "
        "pass before it",
        do=f"use --window {enough_s}s or more; what is done so far is kept",
        enough_s=enough_s,
    )


def progress_of(path: Path) -> int:
    """Count the steps that were finished so far, for who asks whether windows get anywhere."""
    with suppress(OSError, ValueError, KeyError, TypeError, ForeignFileError):
        return int(parse_any(read_text(path, MAX_BYTES))["finished"])
    return 0

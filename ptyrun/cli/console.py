"""What does a person see while ptyrun works? Bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from ptyrun.cli.saying import say
from ptyrun.comparison.run import Run
from ptyrun.durations import format_duration
from ptyrun.errors import ExitCode
from ptyrun.host.advice import what_next
from ptyrun.texts import counted, one_line, shown

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ptyrun.engine.work import Outcome
    from ptyrun.results import Results

log = logging.getLogger("ptyrun")

_CONSOLE = "ptyrun console"
_PLAIN_EVERY_S = 5.0
_LEGEND = (
    "standard_*: the literature's definitions, FRC of the field in fractions of Nyquist (≥ 1: "
    "no crossing up to there; n/a: cannot be told, for the reason given)\nthe others: those of "
    "compare_models, FRC in rings, PSNR for a peak of 255"
)
_LEGEND_OF_PAIRS = "the literature's definitions, FRC in fractions of Nyquist (≥ 1: no crossing)"
# Marks records for the session's log whose text this console shows by itself.
_SHOWN = {"is_shown": True}


class Console:
    """A watcher that writes progress to stderr and results to stdout.

    Without *bars* only notes are written: somebody else shows how far everything is.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        level: str | None = None,
        bars: bool = True,
    ) -> None:
        self._quiet = quiet
        self._shows_progress = bars and not quiet
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._plain: dict[str, _PlainTask] = {}
        self._terminal = not quiet and sys.stderr is not None and sys.stderr.isatty()
        named = "DEBUG" if verbose else "ERROR" if quiet else level or "WARNING"
        handler = logging.StreamHandler(sys.stderr)
        handler.name = _CONSOLE
        handler.setLevel(named.upper())
        handler.addFilter(lambda record: not hasattr(record, "is_shown"))
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        log.setLevel(logging.DEBUG)
        for old in [h for h in log.handlers if h.name == _CONSOLE]:
            log.removeHandler(old)
        log.addHandler(handler)

    @classmethod
    def from_words(cls, given: dict[str, Any], *, bars: bool = True) -> Self:
        """Take the console's words out of a command's parameters."""
        return cls(
            quiet=given.pop("quiet"),
            verbose=given.pop("verbose"),
            level=given.pop("console_level"),
            bars=bars,
        )

    def begin(self, task: str, total: int, done: int = 0, unit: str = "groups") -> None:
        """Show a bar, or the first plain line."""
        if not self._shows_progress:
            return
        if self._terminal:
            bars = self._opened_bars()
            self._tasks[task] = bars.add_task(task, total=total, completed=done, unit=unit)
        else:
            self._plain[task] = _PlainTask(task, total, done, unit)

    def advance(self, task: str, count: int) -> None:
        """Move the bar, or say a plain line now and then."""
        if self._bars is not None and task in self._tasks:
            self._bars.advance(self._tasks[task], count)
        elif task in self._plain:
            self._plain[task].advance(count)

    def end(self, task: str) -> None:
        """Let the bar stand and close the display after the last one."""
        if task in self._plain:
            self._plain.pop(task).end()
        self._tasks.pop(task, None)
        if self._bars is not None and not self._tasks:
            self._bars.stop()
            self._bars = None

    def note(self, text: str) -> None:
        """Write a line that a person should read."""
        if self._quiet:
            log.info(text)
            return
        log.info(text, extra=_SHOWN)
        if self._bars is not None:
            self._bars.console.print(shown(text), markup=False, highlight=False)
        else:
            say(text, err=True)

    def warn(self, text: str) -> None:
        """Write a line that nobody must miss, not even who asked for quiet."""
        log.warning(text, extra=_SHOWN)
        if self._bars is not None:
            self._bars.console.print(f"WARNING: {shown(text)}", style="bold red", markup=False)
        else:
            click.secho(f"WARNING: {shown(text)}", fg="red", bold=True, err=True)

    def results(self, results: Results, run_dir: Path) -> None:
        """Say on stdout what a finished comparison found."""
        from ptyrun.comparison.metrics_table import metrics_table

        say(metrics_table(results))
        say(_LEGEND if results.is_measured else _LEGEND_OF_PAIRS)
        say(f"results in {run_dir}\n")
        self.summary(results, run_dir)

    def summary(self, results: Results, run_dir: Path) -> None:
        """Say on stdout what each arm came to, in a line, and where to look."""
        for line in results.summary_lines():
            say(one_line(line))
        page = Run(run_dir).paths.report / "index.html"
        if page.exists():
            say(f"report page: {page}")

    def results_are_left(self) -> None:
        """Say on stdout that all chunks are computed, and nothing else yet."""
        say(what_next("all chunks are computed", " to assemble the results"))

    def session(self, outcome: Outcome, n_compared: int | None = None) -> None:
        """Say on stdout what one session did and what is left.

        *n_compared* is of how many reconstructions results were made where none was computed.
        """
        if outcome.stop is ExitCode.COMPLETE:
            if n_compared is not None:
                say(f"complete: {counted(n_compared, 'reconstruction')} compared")
                return
            if outcome.chunks_done:
                say(f"complete: {counted(outcome.chunks_done, 'chunk')} done in this window")
            else:
                say("complete: nothing was left to compute")
            return
        chunks, groups = counted(outcome.chunks_left, "chunk"), counted(outcome.items_left, "group")
        left = f"{chunks} ({groups}) remain{'s' if outcome.chunks_left == 1 else ''}"
        if outcome.eta_s is not None:
            left += f", about {format_duration(outcome.eta_s)} of work"
        if outcome.windows_left is not None:
            left += f" or {counted(outcome.windows_left, 'window')} more like this"
        say(f"{counted(outcome.chunks_done, 'chunk')} done, {left}: {outcome.reason}")

    def _opened_bars(self) -> Progress:
        if self._bars is None:
            from rich import progress
            from rich.console import Console as RichConsole

            self._bars = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
                progress.TimeElapsedColumn(),
                progress.TextColumn("left"),
                progress.TimeRemainingColumn(),
                console=RichConsole(stderr=True),
            )
            self._bars.start()
        return self._bars


def words(given: dict[str, Any]) -> list[str]:
    """Spell the console's words as another process of ptyrun is told them."""
    flags = [f"--{name}" for name in ("quiet", "verbose") if given[name]]
    level = given["console_level"]
    return flags if level is None else [*flags, "--console-level", level]


class _PlainTask:
    """Progress as lines, for logs and pipes."""

    def __init__(self, task: str, total: int, done: int, unit: str) -> None:
        self._task, self._total, self._done, self._unit = task, total, done, unit
        self._begun = self._said = time.monotonic()
        self._first = done

    def advance(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._said >= _PLAIN_EVERY_S:
            self._say()

    def end(self) -> None:
        if self._done > self._first:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        rate = (self._done - self._first) / max(self._said - self._begun, 1e-9)
        line = f"{self._task}: {self._done}/{self._total} {self._unit}, {rate:.1f}/s"
        if rate and self._done < self._total:
            line += f", {format_duration((self._total - self._done) / rate)} left"
        say(line, err=True)

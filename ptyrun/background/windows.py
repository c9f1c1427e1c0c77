"""How do windows drive themselves until a run is complete? Each one in a fresh process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from signal import Signals

from ptyrun.comparison.run import Run
from ptyrun.durations import format_duration
from ptyrun.engine.progress import Progress
from ptyrun.errors import ExitCode, NoProgressError, StorageError
from ptyrun.host import listing
from ptyrun.host.advice import Advice, asked_for
from ptyrun.host.children import Parent, ptyrun_words
from ptyrun.host.durable import PARTIAL
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher
from ptyrun.results import are_of

MAX_IN_VAIN = 8  # windows in a row that died, or came to nothing without waiting for others


@dataclass(frozen=True)
class Ended:
    """How a row of windows ended."""

    exit_code: ExitCode | int
    windows: int


@dataclass(frozen=True)
class Goal:
    """What a row of windows works towards, by what lies in the run's folder.

    ``progress`` is another one when a window achieved something; ``is_reached`` tells whether
    nothing is left to do: that a window ended with exit code 0 is no proof, since a model's own
    code can end its process so.
    """

    progress: Callable[[], object]
    is_reached: Callable[[], bool]


def until_complete(
    parent: Parent, commands: Iterator[Sequence[str]], goal: Goal, watcher: Watcher
) -> Ended:
    """Run one command after the other, each in a fresh process, while they say that work remains.

    Parameters
    ----------
    parent : Parent
        Entered; a signal that it catches ends the row after the window at hand.
    commands : iterator of sequence of str
        The command of each window, without end. Where a window says which length would do, those
        that follow are told to take it.
    goal : Goal
    watcher : Watcher
        Told of windows that died, and of those that get longer.

    Returns
    -------
    Ended
        With the first exit code other than 75, or 75 if a signal came.

    Raises
    ------
    NoProgressError
        If windows die (memory, a broken model), or come to nothing, again and again.
    """
    with asked_for() as advice:
        return _Row(parent, commands, goal, watcher, advice).run()


class _Row:
    """Windows one after the other."""

    def __init__(
        self,
        parent: Parent,
        commands: Iterator[Sequence[str]],
        goal: Goal,
        watcher: Watcher,
        advice: Advice,
    ) -> None:
        self._parent = parent
        self._commands = commands
        self._goal = goal
        self._watcher = watcher
        self._advice = advice
        self._windows = 0
        self._in_vain = 0
        self._longer_s: int | None = None
        self._grown = 0  # since the last progress

    def run(self) -> Ended:
        before = self._goal.progress()
        while True:
            code = self._window()
            if self._parent.caught and (code == ExitCode.INCOMPLETE or code < 0):
                return Ended(ExitCode.INCOMPLETE, self._windows)
            is_reached = code == ExitCode.COMPLETE and self._goal.is_reached()
            grew = not is_reached and self._grow()
            if code > 0 and code != ExitCode.INCOMPLETE and not grew:
                return Ended(code, self._windows)
            if is_reached:
                return Ended(ExitCode.COMPLETE, self._windows)
            after = self._goal.progress()
            if after != before:
                self._in_vain = self._grown = 0
            elif grew:
                self._in_vain = 0
            before = after
            if code != ExitCode.INCOMPLETE and not grew:
                self._say_how_it_died(code)
            if code != ExitCode.INCOMPLETE or not self._advice.has_waited:
                self._in_vain += 1
            if self._in_vain >= MAX_IN_VAIN:
                raise self._hopeless(code)

    def _window(self) -> int:
        words = [*next(self._commands)]
        if self._longer_s is not None:
            words += ["--window", f"{self._longer_s}s"]
        self._windows += 1
        return self._parent.call(words, self._advice.environment)

    def _grow(self) -> bool:
        """Take the length that the last window asked for, if it is longer than any before."""
        enough_s = self._advice.take()
        if enough_s is None or enough_s <= (self._longer_s or 0) or self._grown >= MAX_IN_VAIN:
            return False
        self._longer_s = enough_s
        self._grown += 1
        self._watcher.note(
            f"window {self._windows} was too short for any progress: "
            f"those that follow take {format_duration(enough_s)}"
        )
        return True

    def _say_how_it_died(self, code: int) -> None:
        self._watcher.note(f"window {self._windows} {_how(code)}; what it committed is kept")

    def _hopeless(self, code: int) -> NoProgressError:
        if code == ExitCode.INCOMPLETE:
            return NoProgressError(
                f"{self._in_vain} windows in a row made no progress",
                why="each one closed, or was ended, before it could commit anything",
                do="give a longer --window, or plan with smaller chunks; `ptyrun status` says more",
            )
        return NoProgressError(
            f"{self._in_vain} windows in a row were killed without progress",
            why=f"the last one {_how(code)}",
            do="look at `ptyrun status`; free memory, or give smaller batches and chunks",
        )


def _how(code: int) -> str:
    if code < 0:
        killer = Signals(-code)
        hint = "; usually memory ran out" if killer.name == "SIGKILL" else ""
        return f"was killed by {killer.name}{hint}"
    return (
        "ended with exit code 0 and left the run incomplete: something ended its process, "
        "usually a model's own code"
    )


def drive(
    run_dir: Path,
    first: Sequence[str],
    later: Sequence[str],
    is_reached: Callable[[RunPaths], bool],
    watcher: Watcher,
) -> ExitCode | int:
    """Repeat windows on a run from this process, as ``--until-complete`` asks.

    Parameters
    ----------
    run_dir : Path
        May not be planned yet.
    first, later : sequence of str
        The words after ``ptyrun`` of the first windows, until there is a plan of theirs, and of
        those that follow.
    is_reached : callable
        Whether nothing of what was asked for is left to do.
    watcher : Watcher

    Returns
    -------
    int
        Exit code of the last window; 75 after a signal.
    """
    paths = Run(run_dir).paths
    commands = (ptyrun_words(*words) for words in words_of_windows(paths, first, later))
    goal = Goal(lambda: work_settled(paths), lambda: is_reached(paths))
    with Parent() as parent:
        return until_complete(parent, commands, goal, watcher).exit_code


def words_of_windows(
    paths: RunPaths, first: Sequence[str], later: Sequence[str]
) -> Iterator[Sequence[str]]:
    """Repeat *first* until the plan in the folder is another one than now, then *later*.

    A window may be cut before it has set aside the run that it is to start anew.
    """
    there = _plan_file(paths)
    yield first
    while first != later and _plan_file(paths) == there:
        yield first
    yield from repeat(later)


def _plan_file(paths: RunPaths) -> tuple[int, int] | None:
    with suppress(OSError):
        found = paths.manifest.stat()
        return found.st_ino, found.st_mtime_ns
    return None


def work_settled(paths: RunPaths) -> object:
    """What is behind us: chunks committed, attempts that failed, and what long steps keep."""
    if not paths.manifest.exists():
        return _kept(paths)
    progress = _progress(paths)
    failures = sum(len(each) for arm in progress.arms.values() for each in arm.failures.values())
    return progress.chunks_committed, failures, _kept(paths)


def is_computed(paths: RunPaths, arms: Sequence[str] | None = None) -> bool:
    """Whether every chunk is committed, of *arms* or of all."""
    if not paths.manifest.exists():
        return False
    return not _progress(paths).chunks_left(arms)


def has_results(paths: RunPaths) -> bool:
    """Whether every chunk is committed and the results belong to the plan."""
    return is_computed(paths) and are_of(paths.results, Run(paths.root).manifest.digest)


def _progress(paths: RunPaths) -> Progress:
    return Run(paths.root).progress


def _kept(paths: RunPaths) -> frozenset[tuple[str, int]]:
    """Names and sizes of what long steps found and later windows need not find again.

    What steps took, and what was refused, is not among it: that changes with each attempt, in vain
    or not.
    """
    found = set()
    hints = (paths.costs, paths.planning_costs, paths.refused)
    with suppress(OSError, StorageError):
        for path in listing.files_below(paths.cache):
            if path.suffix != PARTIAL and path not in hints:
                found.add((path.relative_to(paths.cache).as_posix(), path.stat().st_size))
    return frozenset(found)

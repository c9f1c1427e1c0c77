"""How do windows drive themselves until a run is complete? Each one in a fresh process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from signal import Signals

from ptyrun.background.children import Parent, ptyrun_words
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import ExitCode, NoProgressError
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher

MAX_DEATHS = 8


@dataclass(frozen=True)
class Ended:
    """How a row of windows ended."""

    exit_code: ExitCode | int
    windows: int


def until_complete(
    parent: Parent,
    commands: Iterator[Sequence[str]],
    progress: Callable[[], int],
    watcher: Watcher,
) -> Ended:
    """Run one command after the other, each in a fresh process, while they say that work remains.

    Parameters
    ----------
    parent : Parent
        Entered; a signal that it catches ends the row after the window at hand.
    commands : iterator of sequence of str
        The command of each window, without end.
    progress : callable
        Grows when a window achieved something; asked when one died.
    watcher : Watcher
        Told of windows that died.

    Returns
    -------
    Ended
        With the first exit code other than 75, or 75 if a signal came.

    Raises
    ------
    NoProgressError
        If windows die of signals (memory, a broken model) again and again without progress.
        Windows that close in good order without progress end in exit code 1 by themselves.
    """
    windows = deaths = settled = 0
    while True:
        code = parent.call(next(commands))
        windows += 1
        if parent.caught and (code == ExitCode.INCOMPLETE or code < 0):
            return Ended(ExitCode.INCOMPLETE, windows)
        if code >= 0:
            deaths = 0
            if code != ExitCode.INCOMPLETE:
                return Ended(code, windows)
            continue
        before, settled = settled, progress()
        deaths = deaths + 1 if settled == before else 1
        killer = Signals(-code).name
        watcher.note(f"window {windows} was killed by {killer}; what it committed is kept")
        if deaths >= MAX_DEATHS:
            raise NoProgressError(
                f"{deaths} windows in a row died without progress",
                why=f"the last one was killed by {killer}; a SIGKILL that nobody sent mostly means "
                "that memory ran out",
                do="look at `ptyrun status`; free memory, or give smaller batches and chunks",
            )


def drive(
    run_dir: Path, first: Sequence[str], later: Sequence[str], watcher: Watcher
) -> ExitCode | int:
    """Repeat windows on a run from this process, as ``--until-complete`` asks.

    Parameters
    ----------
    run_dir : Path
        May not be planned yet.
    first, later : sequence of str
        The words after ``ptyrun`` of the first window, and of those that follow.
    watcher : Watcher

    Returns
    -------
    int
        Exit code of the last window; 75 after a signal.
    """
    commands = chain([ptyrun_words(*first)], repeat(ptyrun_words(*later)))
    paths = RunPaths(run_dir)
    with Parent() as parent:
        return until_complete(parent, commands, lambda: work_settled(paths), watcher).exit_code


def work_settled(paths: RunPaths) -> int:
    """Count what the ledger says is behind us: chunks committed, attempts that failed."""
    if not paths.manifest.exists():
        return 0
    progress = Ledger.open(paths, Manifest.load(paths.manifest)).progress
    failures = sum(len(each) for arm in progress.arms.values() for each in arm.failures.values())
    return progress.chunks_committed + failures

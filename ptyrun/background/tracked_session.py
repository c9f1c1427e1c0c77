"""What does a tracked session do from its first to its last moment?

Windows until the run is complete, then ``finalize`` and ``report``, in windows as well, each a
process of its own; then the content is checked, and ``completion.json`` says that all is done.
``process.json`` says how the session ended, whatever that was. One that is killed says nothing:
that its process is gone without a word is how others know.
"""

from __future__ import annotations

import os
import shlex
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from signal import Signals

from ptyrun.background import proof
from ptyrun.background.windows import (
    Goal,
    has_results,
    is_computed,
    until_complete,
    work_settled,
)
from ptyrun.comparison.completion import Completion
from ptyrun.comparison.counts import Counts
from ptyrun.comparison.run import Run
from ptyrun.comparison.tracked import Ending, TrackedProcess
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.plan_lock import CurrentPlan
from ptyrun.errors import BusyError, ExitCode, PtyrunError, StorageError
from ptyrun.host import checksums, durable, listing
from ptyrun.host.children import Parent, ptyrun_words
from ptyrun.host.locks import Lock
from ptyrun.host.processes import Process, Standing, pid_namespace
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher

# A session that has just written its completion holds the lock for a last moment.
LOCK_PATIENCE_S = 2.0
LEAVING_PATIENCE_S = 60.0
WINDOW = "--window"
COMPLETE = "complete, by its content"


def track(
    run_dir: Path,
    argv: Sequence[str],
    window_words: Sequence[str],
    log: str,
    watcher: Watcher,
    *,
    take_over: bool = False,
) -> int:
    """Work on a run in this very process until it is complete, tracked from start to end.

    Parameters
    ----------
    run_dir : Path
        A planned run.
    argv : sequence of str
        The command to note as this process's.
    window_words : sequence of str
        What each window's ``ptyrun run RUN`` is given besides.
    log : str
        Where this process writes, below *run_dir*; empty if to a terminal.
    watcher : Watcher
    take_over : bool
        Believe a session dead that cannot be seen from this host.

    Returns
    -------
    int
        The session's exit code, the one in ``process.json``.

    Raises
    ------
    BusyError
        If another session works on the run; the error names it.
    InputError
        If the run is not planned.
    """
    run = Run(run_dir)
    paths, manifest = run.paths, run.manifest
    held = held_session(paths, manifest.digest, argv, log, watcher, take_over=take_over)
    with held as (tracked, parent):
        CurrentPlan(paths, manifest).raise_if_failed()  # it may have been replaced meanwhile
        session = _Session(paths, manifest, tracked, parent, watcher)
        return session.conclude(*ended_by(lambda: session.work(window_words), watcher))


@contextmanager
def held_session(
    paths: RunPaths,
    digest: str,
    argv: Sequence[str],
    log: str,
    watcher: Watcher,
    *,
    take_over: bool,
) -> Iterator[tuple[TrackedProcess, Parent]]:
    """Be the one tracked session there, on what has this digest.

    Raises
    ------
    BusyError
        If another session works there; the error names it.
    """
    with Lock(paths.process_lock, say=watcher.warn) as lock:
        if not lock.acquire(LOCK_PATIENCE_S) and not (
            _is_leaving(paths, lock) and lock.acquire(LEAVING_PATIENCE_S)
        ):
            raise _busy(paths, TrackedProcess.find(paths.process))
        with Parent() as parent:
            refuse_rival(paths, take_over=take_over)
            yield _introduce(paths, digest, argv, log), parent


def _is_leaving(paths: RunPaths, lock: Lock) -> bool:
    """Whether who holds the lock has written its last word: a busy machine takes its time."""
    tracked, holder = TrackedProcess.find(paths.process), lock.holder()
    if tracked is None or holder is None or ending_of(paths, tracked) is None:
        return False
    return holder.process.pid == tracked.pid and holder.process.is_alive()


def refuse_rival(paths: RunPaths, *, take_over: bool) -> None:
    """See that no tracked session works on the run.

    Raises
    ------
    BusyError
        If one is alive, or out of sight and has not said that it ended; the error names it.
    """
    tracked = TrackedProcess.find(paths.process)
    if tracked is None or ending_of(paths, tracked) is not None:
        return
    judgement = tracked.observe()
    if judgement.standing is Standing.ALIVE:
        raise _busy(paths, tracked)
    if judgement.standing is Standing.ELSEWHERE and not take_over:
        raise BusyError(
            f"a session may still work on {paths.root}: {tracked}",
            why=f"{judgement.words}, and it has not recorded an end",
            do="look there; if it is dead, start again with --take-over",
        )


def completion_of(paths: RunPaths, tracked: TrackedProcess) -> Completion | None:
    """Give what this very session left when it completed the run."""
    completion = Completion.find(paths.completion)
    return completion if completion and completion.session == tracked.session else None


def ending_of(paths: RunPaths, tracked: TrackedProcess) -> Ending | None:
    """Say how this very session ended; None while it works, and for ever if it died."""
    if tracked.ending is not None:
        return tracked.ending
    # Between its two last documents, or of an older ptyrun.
    left = completion_of(paths, tracked)
    if left is None:
        return None
    return Ending(left.exit_code, left.reason, left.evidence, left.counts, left.windows)


def _busy(paths: RunPaths, tracked: TrackedProcess | None) -> BusyError:
    who = "a session that is just starting"
    if tracked is not None:
        who = f"{tracked}, log {paths.root / tracked.log if tracked.log else 'on its terminal'}"
    folder = shlex.quote(str(paths.root))
    return BusyError(
        f"a session works on {paths.root} already",
        why=f"it is {who}",
        do=f"`ptyrun logs -f {folder}` follows it, `ptyrun stop {folder}` ends it",
    )


def _introduce(paths: RunPaths, digest: str, argv: Sequence[str], log: str) -> TrackedProcess:
    # First, so that whoever waits for the file to appear waits for this session's.
    with durable.storage_errors(paths.completion):
        paths.completion.unlink(missing_ok=True)
    process = Process.current()
    tracked = TrackedProcess(
        session=os.environ.get(proof.TOKEN) or proof.new_token(),
        host=process.host,
        boot_id=process.boot_id,
        pid=process.pid,
        process_started_s=process.started_s,
        pid_namespace=pid_namespace(),
        argv=tuple(argv),
        log=log,
        manifest_digest=digest,
        started_at=_now(),
    )
    tracked.save(paths.process)
    return tracked


def ended_by(work: Callable[[], tuple[int, str]], watcher: Watcher) -> tuple[int, str]:
    """Do *work*; give its exit code and reason, whatever happens."""
    try:
        return work()
    except PtyrunError as error:
        watcher.note(f"error: {error}")
        return int(error.exit_code), str(error)
    except Exception as error:
        watcher.note("".join(traceback.format_exception(error)))
        return int(ExitCode.FAILED), f"{type(error).__name__}: {error}"


def conclude(
    paths: RunPaths,
    tracked: TrackedProcess,
    ending: Ending,
    artifacts: Mapping[str, str],
    watcher: Watcher,
) -> int:
    """Say that all is complete, if it is, and how the session ended; give its exit code."""
    watcher.note(ending.reason)  # whoever waits for the end finds it in the log
    ended_at = _now()
    if ending.exit_code == ExitCode.COMPLETE:
        Completion(
            session=tracked.session,
            manifest_digest=tracked.manifest_digest,
            artifacts=artifacts,
            started_at=tracked.started_at,
            finished_at=ended_at,
            **vars(ending),
        ).save(paths.completion)
    replace(tracked, ended_at=ended_at, **vars(ending)).save(paths.process)
    return ending.exit_code


class _EndedEarly(Exception):  # noqa: N818 - an ending is no error
    """A child said that the session is over."""


class _Session:
    """The work of one tracked session."""

    def __init__(
        self,
        paths: RunPaths,
        manifest: Manifest,
        tracked: TrackedProcess,
        parent: Parent,
        watcher: Watcher,
    ) -> None:
        self._paths = paths
        self._manifest = manifest
        self._tracked = tracked
        self._parent = parent
        self._watcher = watcher
        self._windows = 0
        self._artifacts: dict[str, str] = {}

    def work(self, window_words: Sequence[str]) -> tuple[int, str]:
        """Do everything; give exit code and reason."""
        try:
            self._compute(window_words)
            window = _window_of(window_words)
            adopt = [word for word in window_words if word == "--adopt"]
            self._make("finalize", lambda: has_results(self._paths), window, *adopt)
            self._make("report", (self._paths.report / checksums.NAME).exists, window)
            self._judge()
        except _EndedEarly as ending:
            code, reason = ending.args
            return code, reason
        return int(ExitCode.COMPLETE), COMPLETE

    def _compute(self, window_words: Sequence[str]) -> None:
        ended = until_complete(
            self._parent,
            repeat(ptyrun_words("run", str(self._paths.root), *window_words)),
            Goal(lambda: work_settled(self._paths), lambda: is_computed(self._paths)),
            self._watcher,
        )
        self._windows = ended.windows
        self._insist("run", ended.exit_code)

    def _make(
        self, stage: str, is_made: Callable[[], bool], window: Sequence[str], *more: str
    ) -> None:
        words = ptyrun_words(stage, str(self._paths.root), *window, *more)
        if not window:
            self._insist(stage, self._parent.call(words))
            return
        goal = Goal(lambda: work_settled(self._paths), is_made)
        ended = until_complete(self._parent, repeat(words), goal, self._watcher)
        self._insist(stage, ended.exit_code)

    def _judge(self) -> None:
        from ptyrun.comparison.content import check_content  # Zarr, which only the end needs

        self._artifacts = check_content(Run(self._paths.root))

    def _insist(self, stage: str, code: int) -> None:
        if code == ExitCode.COMPLETE:
            return
        if self._parent.caught:
            reason = f"stopped by {self._parent.caught.name} during `ptyrun {stage}`"
            raise _EndedEarly(int(ExitCode.INCOMPLETE), f"{reason}; work remains")
        if code < 0:
            reason = f"`ptyrun {stage}` was killed by {Signals(-code).name}"
            raise _EndedEarly(int(ExitCode.FAILED), reason)
        raise _EndedEarly(code, f"`ptyrun {stage}` ended with exit code {code}")

    def conclude(self, code: int, reason: str) -> int:
        """Say that the run is complete, if it is, and how the session ended."""
        evidence = "" if code == ExitCode.COMPLETE else self._evidence(code)
        ending = Ending(code, reason, evidence, self._counts(), self._windows)
        return conclude(self._paths, self._tracked, ending, self._artifacts, self._watcher)

    def _counts(self) -> Counts | None:
        try:
            return Counts.of(Run.of(self._paths.root, self._manifest).progress.arms.values())
        except PtyrunError as error:
            self._watcher.note(f"error: {error}")
            return None

    def _evidence(self, code: int) -> str:
        with suppress(StorageError):
            blockers = listing.matching(self._paths.blocked, "*.md")
            if code == ExitCode.BLOCKED and blockers:
                return blockers[-1].relative_to(self._paths.root).as_posix()
        return self._tracked.log


def _window_of(words: Sequence[str]) -> Sequence[str]:
    """The word and the length of the window among *words*, if there is one."""
    found = [*words]
    return found[found.index(WINDOW) : found.index(WINDOW) + 2] if WINDOW in found else []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

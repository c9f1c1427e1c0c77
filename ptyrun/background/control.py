"""How is a tracked session started, waited for and ended by others?"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from ptyrun.background import borne_out, proof
from ptyrun.background.tail import last_lines
from ptyrun.background.tracked_session import completion_of, ending_of, refuse_rival
from ptyrun.comparison.completion import Completion
from ptyrun.comparison.run import Run
from ptyrun.comparison.tracked import Ending, Observation, TrackedProcess
from ptyrun.engine import presence
from ptyrun.errors import BusyError, ExitCode, InputError, PtyrunError
from ptyrun.host import durable
from ptyrun.host.children import ptyrun_words
from ptyrun.host.processes import Standing
from ptyrun.host.regular import refuse_foreign
from ptyrun.paths import RunPaths

POLL_S = 0.1
START_PATIENCE_S = 60.0
KILL_PATIENCE_S = 10.0
LOGS_KEPT = 40
_LOG = "background-"


@dataclass(frozen=True)
class Observed:
    """A tracked session as others see it.

    ``ending`` is None while it works, and for ever if it died; ``completion`` is there when it
    completed the run.
    """

    tracked: TrackedProcess
    judgement: Observation
    ending: Ending | None
    completion: Completion | None

    @property
    def died(self) -> bool:
        """Whether its process is gone without a word."""
        return self.ending is None and self.judgement.standing.is_over


def observe(run_dir: Path) -> Observed | None:
    """Look at a run's latest tracked session; None if there never was one."""
    paths = Run(run_dir).paths
    tracked = TrackedProcess.find(paths.process)
    if tracked is None:
        return None
    # In this order: a process that is gone by now has already written what it will ever write.
    judgement = tracked.observe()
    latest = TrackedProcess.find(paths.process)
    if latest is not None and latest.session == tracked.session:
        tracked = latest
    return Observed(tracked, judgement, ending_of(paths, tracked), completion_of(paths, tracked))


def observed(run_dir: Path) -> Observed:
    """Look at a run's latest tracked session.

    Raises
    ------
    InputError
        If there never was one; the error names who works on the run in the foreground.
    """
    seen = observe(run_dir)
    if seen is None:
        raise _without_background(run_dir)
    return seen


def _without_background(run_dir: Path) -> InputError:
    what = f"no background session was ever started on {run_dir}"
    run = shlex.quote(str(run_dir))
    opened = presence.process_at_work(Run(run_dir).paths)
    if opened is None:
        return InputError(
            what,
            why="only `ptyrun start` starts one; sessions in the foreground are not tracked",
            do=f"start one with `ptyrun start {run}`; `ptyrun status {run}` says how far it is",
        )
    return InputError(
        what,
        why=f"process {presence.command_of(opened)} works on it in the foreground, since "
        f"{opened.opened_at}",
        do=f"follow it with `ptyrun status {run} --watch`, or "
        f"{presence.how_to_end_in_foreground(opened)}",
    )


def start(
    run_dir: Path, window_words: Sequence[str] = (), *, take_over: bool = False
) -> TrackedProcess:
    """Detach a session: no terminal, a process session of its own, its output in a log.

    Parameters
    ----------
    run_dir : Path
        A planned run.
    window_words : sequence of str
        What each window is given, such as ``("--window", "170s")``.
    take_over : bool
        Believe a session dead that cannot be seen from this host.

    Returns
    -------
    TrackedProcess
        As soon as the session has said who it is, which is before it has loaded anything.

    Raises
    ------
    BusyError
        If a session works on the run; the error names it.
    InputError
        If the run is not planned.
    DamageError, NewerError
        If its ledger cannot be trusted, or read by this ptyrun.
    PtyrunError
        If the session did not come up; the error quotes it.
    """
    root = run_dir.resolve()
    run = Run(root)
    paths = run.paths
    _ = run.ledger  # it is planned, and what was done can be read
    return detached(paths, ("start", str(root)), window_words, take_over=take_over)


def detached(
    paths: RunPaths, command: Sequence[str], more: Sequence[str] = (), *, take_over: bool = False
) -> TrackedProcess:
    """Detach *command* with *more* words; told its log, it tracks itself.

    Raises
    ------
    BusyError
        If a session works there; the error names it.
    PtyrunError
        If the session did not come up; the error quotes it.
    """
    refuse_rival(paths, take_over=take_over)
    refuse_foreign(paths.logs)
    durable.make_folder(paths.logs)
    with suppress(OSError):
        for old in sorted(paths.logs.glob(f"{_LOG}*"))[:-LOGS_KEPT]:
            old.unlink(missing_ok=True)
    log = paths.logs / f"{_LOG}{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.log"
    words = (*command, "--foreground", "--log", log.relative_to(paths.root).as_posix())
    taking = ("--take-over",) if take_over else ()
    with durable.storage_errors(log), log.open("xb") as output:
        child = subprocess.Popen(
            ptyrun_words(*words, *taking, *more),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, proof.TOKEN: proof.new_token()},
        )
    return _introduced(paths, child, log)


def _introduced(paths: RunPaths, child: subprocess.Popen[bytes], log: Path) -> TrackedProcess:
    deadline_s = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline_s:
        # In this order: a session may introduce itself and be done in between.
        ended = child.poll() is not None
        tracked = TrackedProcess.find(paths.process)
        if tracked is not None and paths.root / tracked.log == log:
            # Reaped when it ends, where who started it lives as long, as a notebook does.
            threading.Thread(target=child.wait, daemon=True).start()
            return tracked
        if ended:
            break
        time.sleep(POLL_S / 5)
    child.kill()
    said = last_lines(log.parent, log.name, 20)
    said = said or f"it ended with exit code {child.wait()} and could not say why"
    refuse_rival(paths, take_over=True)  # the usual reason: somebody was faster
    raise PtyrunError(
        f"no session started on {paths.root}",
        why=said.strip(),
        do=f"check that there is free space in {paths.root}, then try again",
    )


def wait(run_dir: Path, timeout_s: float | None = None) -> Observed:
    """Wait until the latest tracked session is over.

    Returns
    -------
    Observed
        With an ending; without one if the session died, or if the time is up.

    Raises
    ------
    InputError
        If no background session was ever started.
    DamageError
        If it says that all is done, and that is not so.
    """
    deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        seen = observed(run_dir)
        if seen.ending is not None or seen.died:
            if seen.ending is not None and seen.ending.exit_code == ExitCode.COMPLETE:
                borne_out.raise_if_failed(run_dir, seen.completion)
            return seen
        if deadline_s is not None and time.monotonic() >= deadline_s:
            return seen
        time.sleep(POLL_S)


@dataclass(frozen=True)
class Stopped:
    """What :func:`stop` did.

    ``killed`` holds the command lines of what had to be killed, ``waited_s`` how long it took.
    """

    observed: Observed
    was_over: bool
    killed: tuple[str, ...]
    waited_s: float


def stop(run_dir: Path, grace_s: float) -> Stopped:
    """Ask the latest tracked session to end, then insist; nothing of it is left.

    Parameters
    ----------
    run_dir : Path
    grace_s : float
        From SIGTERM, on which it closes its window, to SIGKILL for all its processes.

    Raises
    ------
    InputError
        If no background session was ever started.
    BusyError
        If it works out of sight, on another host.
    PtyrunError
        If the process does not prove that it is this session: then nothing is signalled. Or if
        something of it cannot be killed.
    """
    seen = observed(run_dir)
    if seen.judgement.standing is Standing.ELSEWHERE and seen.ending is None:
        raise BusyError(
            f"the session on {run_dir} cannot be stopped from here",
            why=seen.judgement.words,
            do=f"run `ptyrun stop` on {seen.tracked.host}",
        )
    began_s = time.monotonic()
    was_over = seen.judgement.standing is not Standing.ALIVE
    if not was_over:
        _ask(seen.tracked, Run(run_dir).paths)
        _until(lambda: not seen.tracked.process.is_alive(), grace_s)
    killed = _kill_members(seen.tracked)
    return Stopped(observed(run_dir), was_over, killed, time.monotonic() - began_s)


def _ask(tracked: TrackedProcess, paths: RunPaths) -> None:
    # The handle is taken first: should the PID change hands now, the signal reaches nobody else.
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(tracked.pid) if hasattr(os, "pidfd_open") else None
        try:
            if not tracked.process.is_alive():
                return
            if proof.holds(tracked.pid, paths.process_lock) and proof.carries(
                tracked.pid, tracked.session
            ):
                if handle is None:  # a system without such handles
                    os.kill(tracked.pid, signal.SIGTERM)
                else:
                    signal.pidfd_send_signal(handle, signal.SIGTERM)
            elif tracked.process.is_alive() and observed(paths.root).ending is None:
                raise _unidentified(tracked, paths)
        finally:
            if handle is not None:
                os.close(handle)


def _unidentified(tracked: TrackedProcess, paths: RunPaths) -> PtyrunError:
    return PtyrunError(
        f"PID {tracked.pid} cannot be confirmed as a session of {paths.root}; no signal was sent",
        why=f"{paths.process.name} names it, but it does not hold {paths.process_lock.name} with "
        "that session's token: the file may have been made elsewhere",
        do=f"check what the process is (`ps -fp {tracked.pid}`); if none works here, delete "
        f"{paths.process}",
    )


def _until(is_so: Callable[[], bool], patience_s: float) -> bool:
    deadline_s = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(POLL_S / 5)
    return True


def _members(tracked: TrackedProcess) -> list[psutil.Process]:
    """Every living process of the tracked one's process session.

    The kernel gives a PID away again only when no process session is called by it any more, so
    that these are its own even after it died itself; and all carry its token.
    """
    if tracked.observe().standing not in {Standing.ALIVE, Standing.GONE}:
        return []
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            is_ours = os.getsid(process.pid) == tracked.pid and proof.carries(
                process.pid, tracked.session
            )
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _kill_members(tracked: TrackedProcess) -> tuple[str, ...]:
    killed: dict[int, str] = {}

    def none_is_left() -> bool:
        members = _members(tracked)
        for process in members:  # named first: with a parent its children go at once
            with suppress(psutil.NoSuchProcess):
                killed.setdefault(process.pid, shlex.join(process.cmdline()))
        for process in members:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return not members

    if not _until(none_is_left, KILL_PATIENCE_S):
        raise PtyrunError(
            f"processes of the session cannot be killed: {sorted(killed)}",
            why="SIGKILL does not end them: a device or a network folder does not answer",
            do="check what they wait for (`ps -o pid,stat,wchan,args`)",
        )
    return tuple(killed.values())

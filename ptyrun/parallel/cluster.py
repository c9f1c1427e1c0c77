"""How do the workers of a Dask cluster work on one run?

Each runs a ``ptyrun run`` as its child, and they meet in the run's folder, which all of them see
under one path. Dask carries no data and decides nothing: the claims do, by lease, so that a worker
that is lost costs the chunk it had in hand, and one that joins later works along.
"""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ptyrun.config import SessionOptions
from ptyrun.durations import format_duration
from ptyrun.engine.window import Window
from ptyrun.engine.work import Outcome
from ptyrun.errors import ExitCode, UsageError
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.signals import Interrupts
from ptyrun.parallel.crew import WorkerGroup
from ptyrun.parallel.places import Ended, Lost, Places, meeting_in
from ptyrun.parallel.scheduler import connected
from ptyrun.progress import Watcher

_LOOK_S = 0.5
_LEAD_S = 1.0  # a worker hears late that it shall begin, and is heard late
_CLOSING_S = 0.3  # workers close their windows themselves; what began late is closed for them
_ASKED_S = 6.0  # after a signal, or an error here: until those that work have said how they ended
_NO_WORKER = "no worker of the cluster has connected"


def work(run_dir: Path, session: SessionOptions, watcher: Watcher) -> Outcome:
    """Work on a planned run with every worker of a cluster, as far as the window reaches.

    Parameters
    ----------
    run_dir : Path
        The run's folder, which the workers must see under the same path.
    session : SessionOptions
        ``dask`` is the scheduler's address, or ``local:N``.
    watcher : Watcher

    Returns
    -------
    Outcome
        As that of :func:`ptyrun.parallel.workers.work`. A window in which no worker connected is
        INCOMPLETE: workers may wait in a queue of their own.

    Raises
    ------
    ClusterError
        If no scheduler answers, it is lost, or none of the workers that are there can work: they do
        not see the run's folder, or have no ptyrun.
    PredictorUnavailableError
        If Dask is not installed.
    UsageError
        If a number of chunks is given as well.
    """
    if session.max_chunks is not None:
        raise UsageError(
            "--max-chunks and --dask cannot be combined",
            why="workers come and go, so that a number of chunks cannot be divided among them",
            do="give a --window",
        )
    session = replace(session, shared_folder=True)
    window, address = Window(session.window_s), str(session.dask)
    with (
        connected(address, window.remaining_s) as client,
        WorkerGroup(run_dir, session, watcher, _LEAD_S) as crew,
        meeting_in(crew.claims) as meeting,
        Interrupts() as interrupts,
    ):
        places = Places(client, address, crew.name, crew.folder, meeting)
        members = _Members(places, crew, address, watcher)
        try:
            while interrupts.reason is None and window.remaining_s > -_CLOSING_S:
                members.look(joining=window.remaining_s > 0)
                crew.show()
                if members.all_ended:
                    break
                time.sleep(_LOOK_S)
        except BaseException:
            with suppress(Exception):  # what went wrong before is what has to be told
                members.cancel(_ASKED_S)
            raise
        members.cancel(_ASKED_S if interrupts.reason else 0.0)
        nobody = "" if members.any_began else interrupts.reason or _NO_WORKER
        return crew.outcome(interrupted=interrupts.reason is not None, nobody=nobody)


class _Members:
    """The workers of the cluster that work, or worked, on this run; each is sent for once."""

    def __init__(self, places: Places, crew: WorkerGroup, address: str, watcher: Watcher) -> None:
        self._places, self._crew = places, crew
        self._address, self._watcher = address, watcher
        self._met: set[str] = set()
        self._any_ended = False
        self._has_said = False

    def look(self, *, joining: bool) -> None:
        """See who ended, who is gone, and who is new.

        Raises
        ------
        ClusterError
            If the scheduler is lost, or no worker that is there can work.
        """
        for found in self._places.look():
            self._note(found)
        if joining:
            for worker in self._places.free:
                if worker not in self._met:
                    self._begin(worker)
        n_working = len(self._places.working)
        self._places.wish(self._crew.chunks_left - n_working if joining else 0)
        if not n_working and not self._any_ended:
            self._places.require_able()
            self._wait()

    def _wait(self) -> None:
        """Say once that there is no worker yet; the window does not end for want of time."""
        if self._has_said:
            return
        self._has_said = True
        ATTEMPTS.withdraw(has_waited=True)
        left = self._crew.window_left_s
        until = "" if left is None else f", for {format_duration(left)} at most"
        self._watcher.note(f"waiting for workers of the cluster at {self._address}{until}")

    def _begin(self, worker: str) -> None:
        if len(self._places.working) >= max(1, self._crew.chunks_left):
            return
        place = len(self._met)
        self._met.add(worker)
        self._places.begin(worker, self._crew.words(place, place + 1))

    def _note(self, found: Ended | Lost) -> None:
        if isinstance(found, Lost):
            self._crew.lost(found.worker, found.how)
            return
        if found.said:
            self._crew.hear(found.worker, found.said)
        if found.was_closing and found.code in (ExitCode.INCOMPLETE, -signal.SIGTERM):
            self._crew.lost(found.worker, "is closing")
            return
        self._any_ended = True
        self._crew.ended(found.worker, found.code)

    @property
    def all_ended(self) -> bool:
        """Whether nobody works any more, and somebody did to the end."""
        return not self._places.working and self._any_ended

    @property
    def any_began(self) -> bool:
        """Whether any worker was there to be sent for."""
        return bool(self._met)

    def cancel(self, patience_s: float) -> None:
        """Close the windows of those that still work, and wait a while until they did."""
        self._places.cancel()
        if self._places.working:
            self._crew.await_closing(patience_s)

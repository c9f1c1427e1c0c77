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
from typing import Any

from ptyrun.config import SessionOptions
from ptyrun.durations import format_duration
from ptyrun.engine.window import Window
from ptyrun.engine.work import Outcome
from ptyrun.errors import ClusterError, ExitCode, UsageError
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.signals import Interrupts
from ptyrun.parallel import on_worker
from ptyrun.parallel.crew import WorkerGroup
from ptyrun.parallel.scheduler import connected
from ptyrun.progress import Watcher

_LOOK_S = 0.5
_LEAD_S = 1.0  # a worker hears late that it shall begin, and is heard late
_CLOSING_S = 0.3  # workers close their windows themselves; what began late is closed for them
_ASKED_S = 6.0  # after a signal, or an error here: until those that work have said how they ended
_MOST_WISHES = 100
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
            "--max-chunks and --dask do not go together",
            why="workers come and go, so that a number of chunks cannot be divided among them",
            do="give a --window",
        )
    session = replace(session, shared_folder=True)
    window = Window(session.window_s)
    with (
        connected(str(session.dask), window.remaining_s) as client,
        WorkerGroup(run_dir, session, watcher, _LEAD_S) as crew,
        crew.meeting() as meeting,
        Interrupts() as interrupts,
    ):
        members = _Members(client, crew, meeting, str(session.dask), watcher)
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
    """The workers of the cluster that work, or worked, on this run."""

    def __init__(
        self, client: Any, crew: WorkerGroup, meeting: Path, address: str, watcher: Watcher
    ) -> None:
        self._client = client
        self._crew = crew
        self._meeting = meeting
        self._address = address
        self._watcher = watcher
        self._met: set[str] = set()
        self._working: dict[str, Any] = {}
        self._unable: dict[str, str] = {}
        self._wishes: list[Any] = []
        self._any_ended = False
        self._has_said = False

    def look(self, *, joining: bool) -> None:
        """See who ended, who is gone, and who is new.

        Raises
        ------
        ClusterError
            If the scheduler is lost, or no worker that is there can work.
        """
        present = set(self._client.scheduler_info(n_workers=-1).get("workers", ()))
        self._require_scheduler()
        for worker in [*self._working]:
            if self._working[worker].done():
                self._end(worker, self._working.pop(worker))
            elif worker not in present:
                self._working.pop(worker).release()
                self._crew.lost(worker, "is gone")
        if joining:
            for worker in sorted(present - self._met):
                self._begin(worker)
        self._wish(self._crew.chunks_left - len(self._working) if joining else 0)
        if not self._working and not self._any_ended:
            self._require_able(present)
            self._wait()

    def _require_scheduler(self) -> None:
        # Whoever loses it has lost every task as well, even if it answers again.
        if self._client.status != "running":
            raise ClusterError(
                f"the Dask scheduler at {self._address} is gone",
                why="the connection to it broke; what the workers committed is kept",
                do="start it and its workers again, and run the same command again",
            )

    def _require_able(self, present: set[str]) -> None:
        unable = [worker for worker in sorted(present) if worker in self._unable]
        if unable and len(unable) == len(present):
            why = self._unable[unable[0]]
            raise ClusterError(
                f"none of the {len(unable)} workers of the Dask cluster can work on this run",
                why=f"{unable[0]} {why}",
                do="put the run into a folder that all machines see under the same path, and "
                "install the same ptyrun in the environment of the workers",
            )

    def _wait(self) -> None:
        """Say once that there is no worker yet; the window does not end for want of time."""
        if self._has_said:
            return
        self._has_said = True
        ATTEMPTS.withdraw()
        left = self._crew.window_left_s
        until = "" if left is None else f", for {format_duration(left)} at most"
        self._watcher.note(f"waiting for workers of the cluster at {self._address}{until}")

    def _begin(self, worker: str) -> None:
        if len(self._working) >= max(1, self._crew.chunks_left):
            return
        import pickle

        place = len(self._met)
        self._met.add(worker)
        self._working[worker] = self._client.submit(
            pickle.loads,
            on_worker.packed(self._crew.words(place, place + 1), self._meeting),
            key=f"ptyrun-{self._crew.name}-{place}",
            workers=[worker],
            pure=False,
            retries=0,
        )

    def _wish(self, n_more: int) -> None:
        """Let an adaptive cluster know that *n_more* workers would find something to do.

        It counts tasks that wait. These wait for a resource that no worker offers, and so are never
        run; since tasks for one worker wait for no other, the cluster would stay as it is.
        """
        n_wanted = max(0, min(n_more, _MOST_WISHES))
        while len(self._wishes) < n_wanted:
            place = len(self._wishes)
            self._wishes.append(
                self._client.submit(
                    int,
                    key=f"ptyrun-{self._crew.name}-wish-{place}",
                    resources={"one more worker for ptyrun": 1},
                    pure=False,
                )
            )
        while len(self._wishes) > n_wanted:
            self._wishes.pop().release()

    def _end(self, worker: str, future: Any) -> None:
        if future.status == "finished":
            report: on_worker.Report | None = future.result()
            if report is None:
                self._cannot(worker, f"does not see the run's folder {self._crew.folder}")
                return
            code, said, was_closing = report
            if said:
                self._crew.hear(worker, said)
            if was_closing and code in (ExitCode.INCOMPLETE, -signal.SIGTERM):
                self._crew.lost(worker, "is closing")
                return
            self._any_ended = True
            self._crew.ended(worker, code)
            return
        self._require_scheduler()
        failure = future.exception() if future.status == "error" else future.status
        if isinstance(failure, ImportError) and (failure.name or "").startswith("ptyrun"):
            self._cannot(worker, f"has not this ptyrun: {failure}")
        elif future.status == "error":
            self._cannot(worker, f"could not work: {failure}")
        else:
            self._crew.lost(worker, f"could not work: {failure}")

    def _cannot(self, worker: str, why: str) -> None:
        self._unable[worker] = why
        self._crew.lost(worker, why)

    @property
    def all_ended(self) -> bool:
        """Whether nobody works any more, and somebody did to the end."""
        return not self._working and self._any_ended

    @property
    def any_began(self) -> bool:
        """Whether any worker was there to be sent for."""
        return bool(self._met)

    def cancel(self, patience_s: float) -> None:
        """Close the windows of those that still work, and wait a while until they did."""
        self._wish(0)
        if self._working:
            self._client.cancel([*self._working.values()])
            self._crew.await_closing(patience_s)

"""How do the workers of a Dask cluster work on one run?

Each runs a ``ptyrun run`` as its child, and they meet in the run's folder, which all of them see
under one path. Dask carries no data and decides nothing: the claims do, by lease, so that a worker
that is lost costs the chunk it had in hand, and one that joins later works along.
"""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ptyrun.config import SessionOptions
from ptyrun.engine.window import Window
from ptyrun.engine.work import Outcome
from ptyrun.errors import ClusterError, PredictorUnavailableError, UsageError
from ptyrun.host.children import born_of, ptyrun_words
from ptyrun.host.signals import Interrupts
from ptyrun.parallel.crew import Crew
from ptyrun.progress import Watcher

_CONNECT_S = 5
_LOOK_S = 0.5
_NO_WORKER_S = 60.0  # so long a cluster may be without any worker: they start, or are replaced
_LEAD_S = 1.0  # a worker hears late that it shall begin, and is heard late
_CLOSING_S = 0.3  # workers close their windows themselves; what began late is closed for them
_ASKED_S = 6.0  # after a signal, or an error here: until those that work have said how they ended
_SAID_BYTES = 1 << 16
_NOBODY = "no worker of the cluster has connected"


@dataclass(frozen=True)
class Ended:
    """How a child ended on a worker of the cluster, and the end of what it said."""

    code: int
    said: str


def work(run_dir: Path, session: SessionOptions, watcher: Watcher) -> Outcome:
    """Work on a planned run with every worker of a cluster, as far as the window reaches.

    Parameters
    ----------
    run_dir : Path
        The run's folder, which the workers must see under the same path.
    session : SessionOptions
        ``dask`` is the scheduler's address.
    watcher : Watcher

    Returns
    -------
    Outcome
        As that of :func:`ptyrun.parallel.workers.work`.

    Raises
    ------
    ClusterError
        If no scheduler answers, it is lost, or it has no workers for a minute.
    PredictorUnavailableError
        If Dask is not installed.
    UsageError
        If a number of chunks is given as well.
    """
    if session.max_chunks is not None:
        raise UsageError(
            "--max-chunks and --dask do not go together",
            why="workers come and go, so that nobody can share out a number of chunks",
            do="give a --window",
        )
    session = replace(session, shared_folder=True)
    window = Window(session.window_s)
    with (
        _connected(str(session.dask), min(_CONNECT_S, max(_LOOK_S, window.remaining_s))) as client,
        Crew(run_dir, session, watcher, _LEAD_S) as crew,
        Interrupts() as interrupts,
    ):
        members = _Members(client, crew, str(session.dask))
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
        nobody = "" if members.any_began else interrupts.reason or _NOBODY
        return crew.outcome(interrupted=interrupts.reason is not None, nobody=nobody)


@contextmanager
def _connected(address: str, patience_s: float) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as error:
        raise PredictorUnavailableError(
            "Dask's clusters cannot be reached",
            why=str(error),
            do="pip install 'ptyrun[dask]', here and where the workers run",
        ) from error
    # Every lost connection would be told twice: there, and here as a lost worker.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(  # type: ignore[no-untyped-call]
            address, timeout=patience_s, set_as_default=False
        )
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address}",
            why=str(error) or type(error).__name__,
            do="start one with `dask scheduler`, and give the address that it prints",
        ) from error
    with client:
        yield client


class _Members:
    """The workers of the cluster that work, or worked, on this run."""

    def __init__(self, client: Any, crew: Crew, address: str) -> None:
        self._client = client
        self._crew = crew
        self._address = address
        self._met: set[str] = set()
        self._working: dict[str, Any] = {}
        self._somebody_ended = False
        self._seen_s = time.monotonic()

    def look(self, *, joining: bool) -> None:
        """See who ended, who is gone, and who is new.

        Raises
        ------
        ClusterError
            If the scheduler is lost, or nobody is there for too long.
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
        if self._working or self._somebody_ended:
            self._seen_s = time.monotonic()
        elif time.monotonic() - self._seen_s > _NO_WORKER_S:
            raise ClusterError(
                f"the Dask cluster at {self._address} has no workers",
                why=f"for {_NO_WORKER_S:.0f} s none was there that could work",
                do="start some with `dask worker`, and run the same command again",
            )

    def _require_scheduler(self) -> None:
        # Whoever loses it has lost every task as well, even if it answers again.
        if self._client.status != "running":
            raise ClusterError(
                f"the Dask scheduler at {self._address} is gone",
                why="the connection to it broke; what the workers committed is kept",
                do="start it and its workers again, and run the same command again",
            )

    def _begin(self, worker: str) -> None:
        if len(self._working) >= max(1, self._crew.chunks_left):
            return
        place = len(self._met)
        self._met.add(worker)
        self._working[worker] = self._client.submit(
            compute_here,
            self._crew.words(place, place + 1),
            key=f"ptyrun-{self._crew.name}-{place}",
            workers=[worker],
            pure=False,
            retries=0,
        )

    def _end(self, worker: str, future: Any) -> None:
        if future.status == "finished":
            ended: Ended = future.result()
            self._somebody_ended = True
            self._crew.ended(worker, ended.code)
            if ended.said:
                self._crew.hear(worker, ended.said)
        else:
            self._require_scheduler()
            failure = future.exception() if future.status == "error" else future.status
            self._crew.lost(worker, f"could not work: {failure}")

    @property
    def all_ended(self) -> bool:
        """Whether nobody works any more, and somebody did to the end."""
        return not self._working and self._somebody_ended

    @property
    def any_began(self) -> bool:
        """Whether any worker was there to be sent for."""
        return bool(self._met)

    def cancel(self, patience_s: float) -> None:
        """Close the windows of those that still work, and wait a while until they did."""
        if self._working:
            self._client.cancel([*self._working.values()])
            self._crew.await_closing(patience_s)


def compute_here(words: list[str]) -> Ended:
    """Run ptyrun as a child of this worker, until it ends or nobody wants it any more."""
    from distributed import Status, get_worker

    worker = get_worker()
    task = worker.get_current_task()
    environment = {**os.environ, "OMP_NUM_THREADS": str(worker.state.nthreads)}
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            ptyrun_words(*words),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            preexec_fn=born_of(os.getpid()),
        )
        asked = False
        while child.poll() is None:
            time.sleep(_LOOK_S / 5)
            # Cancelled by the one who asked, or he is gone: the scheduler forgets the task. A
            # worker that lost its scheduler closes, and hears of nothing any more.
            known = worker.state.tasks.get(task)
            closing = worker.status in (Status.closing, Status.closed, Status.failed)
            if not asked and (closing or known is None or known.state == "cancelled"):
                child.terminate()
                asked = True
        said.seek(max(0, said.seek(0, 2) - _SAID_BYTES))
        return Ended(child.returncode, said.read().decode(errors="replace").strip())

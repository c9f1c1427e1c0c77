"""Where can commands of ptyrun run on a Dask cluster? Which workers are free, and which are lost?

Dask carries no data and decides nothing: each command works on files in a folder that all workers
see under one path.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptyrun.errors import ClusterError
from ptyrun.host import durable, partials
from ptyrun.parallel import on_worker
from ptyrun.texts import counted

_MOST_WISHES = 100


@contextmanager
def meeting_in(folder: Path) -> Iterator[Path]:
    """Give a file in *folder* by which others know that it is this very folder."""
    path = partials.name(folder / "meeting")  # removed by others if this process dies
    durable.make_hint_folder(folder)
    path.touch()
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


@dataclass(frozen=True)
class Ended:
    """How the command on a worker ended: its exit code or minus a signal, and its last words."""

    worker: str
    code: int
    said: str
    was_closing: bool


@dataclass(frozen=True)
class Lost:
    """A worker whose command ended without an exit code, and what is the matter with it."""

    worker: str
    how: str


class Places:
    """The workers of a cluster, each of which runs one command at a time.

    Parameters
    ----------
    client : distributed.Client
    address : str
        Of its scheduler, for messages.
    name : str
        Of whoever sends the commands, unlike that of any other.
    folder : Path
        What the commands work on.
    meeting : Path
        A file below it that all must see.
    """

    def __init__(self, client: Any, address: str, name: str, folder: Path, meeting: Path) -> None:
        self._client, self._address = client, address
        self._name, self._folder, self._meeting = name, folder, meeting
        self._present: set[str] = set()
        self._working: dict[str, Any] = {}
        self._unable: dict[str, str] = {}
        self._wishes: list[Any] = []
        self._n_begun = 0

    @property
    def working(self) -> Sequence[str]:
        """Workers that have a command of ours."""
        return [*self._working]

    @property
    def free(self) -> Sequence[str]:
        """Workers that were there at the last look, are able, and have no command of ours."""
        return sorted(self._present - set(self._working) - set(self._unable))

    def look(self) -> list[Ended | Lost]:
        """See whose command ended, who is gone, and who is new.

        Raises
        ------
        ClusterError
            If the scheduler is lost.
        """
        self._present = set(self._client.scheduler_info(n_workers=-1).get("workers", ()))
        self._require_scheduler()
        found: list[Ended | Lost] = []
        for worker in self.working:
            if self._working[worker].done():
                found.append(self._judged(worker, self._working.pop(worker)))
            elif worker not in self._present:
                self._working.pop(worker).release()
                found.append(Lost(worker, "is gone"))
        return found

    def _require_scheduler(self) -> None:
        # Whoever loses it has lost every task as well, even if it answers again.
        if self._client.status != "running":
            raise ClusterError(
                f"the Dask scheduler at {self._address} is gone",
                why="the connection to it broke; what the workers committed is kept",
                do="start it and its workers again, and run the same command again",
            )

    def require_able(self) -> None:
        """See that not every worker that is there was found unable.

        Raises
        ------
        ClusterError
            If all were: they do not see the folder, or have no ptyrun.
        """
        unable = sorted(self._present & set(self._unable))
        if unable and len(unable) == len(self._present):
            raise ClusterError(
                f"none of {counted(len(unable), 'worker')} of the Dask cluster can work on "
                f"{self._folder}",
                why=f"{unable[0]} {self._unable[unable[0]]}",
                do="put it into a folder that all machines see under the same path, and "
                "install the same ptyrun in the environment of the workers",
            )

    def begin(self, worker: str, words: Sequence[str], log: Path | None = None) -> None:
        """Let a free worker run ``ptyrun WORDS``, with its output appended to *log* or told."""
        self._working[worker] = self._client.submit(
            pickle.loads,
            on_worker.packed([*words], self._meeting, log),
            key=f"ptyrun-{self._name}-{self._n_begun}",
            workers=[worker],
            pure=False,
            retries=0,
        )
        self._n_begun += 1

    def wish(self, n_more: int) -> None:
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
                    key=f"ptyrun-{self._name}-wish-{place}",
                    resources={"one more worker for ptyrun": 1},
                    pure=False,
                )
            )
        while len(self._wishes) > n_wanted:
            self._wishes.pop().release()

    def close(self, worker: str) -> None:
        """Have the command on *worker* closed there; nothing more is heard of it."""
        self._client.cancel([self._working.pop(worker)])

    def cancel(self) -> None:
        """Have every command that runs closed by its worker, and wish for no more workers."""
        self.wish(0)
        if self._working:
            self._client.cancel([*self._working.values()])

    def _judged(self, worker: str, future: Any) -> Ended | Lost:
        if future.status == "finished":
            report: on_worker.Report | None = future.result()
            if report is None:
                return self._cannot(worker, f"does not see the folder {self._folder}")
            return Ended(worker, *report)
        self._require_scheduler()
        failure = future.exception() if future.status == "error" else future.status
        if isinstance(failure, ImportError) and (failure.name or "").startswith("ptyrun"):
            return self._cannot(worker, f"does not have this version of ptyrun: {failure}")
        if future.status == "error":
            return self._cannot(worker, f"could not work: {failure}")
        return Lost(worker, f"could not work: {failure}")

    def _cannot(self, worker: str, why: str) -> Lost:
        self._unable[worker] = why
        return Lost(worker, why)

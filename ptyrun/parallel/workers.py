"""How do several processes of this machine work on one run side by side?

This one computes nothing: it begins the workers, shares out cores and GPUs, holds the devices for
all of them, and ends when the last worker has ended. None of them outlives it.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from ptyrun.config import SessionOptions
from ptyrun.config.session import AUTO
from ptyrun.engine.window import Window
from ptyrun.engine.work import Outcome
from ptyrun.errors import NotOpenedError
from ptyrun.host import memory
from ptyrun.host.children import Parent, ptyrun_words
from ptyrun.host.devices import CPU, hold_devices
from ptyrun.host.processes import n_cores
from ptyrun.host.signals import caused_by
from ptyrun.parallel.crew import WorkerGroup
from ptyrun.progress import Watcher

_POLL_S = 0.1
# What a worker with a framework and a network takes on a CPU, at most as a rule.
WORKER_BYTES = 2 * 2**30


def work(run_dir: Path, session: SessionOptions, watcher: Watcher) -> Outcome:
    """Work on a planned run with ``session.workers`` processes, as far as the window reaches.

    Parameters
    ----------
    run_dir : Path
        The run's folder, as planned.
    session : SessionOptions
        Its window counts from the start of this process, for all workers.
    watcher : Watcher
        Told of everybody's progress, and of what the workers say.

    Returns
    -------
    Outcome
        A worker that dies or fails does not end the others: ``stop`` says COMPLETE when nothing is
        left, INCOMPLETE while workers get on, and only then what stopped them.

    Raises
    ------
    BusyError
        If another run holds a device that this one needs.
    NoProgressError
        If every worker died and nothing was committed.
    DamageError, IdentityError
        If the ledger cannot be trusted.
    """
    window = Window(session.window_s)
    with WorkerGroup(run_dir, session, watcher) as crew, ExitStack() as held:
        devices: Sequence[str] = ()
        parent = held.enter_context(Parent())

        def is_closing() -> bool:
            return parent.caught is not None or window.remaining_s <= 0

        if crew.chunks_left:
            holding = hold_devices(
                run_dir, session.device_wait_s, session.lock_cpu, watcher, crew.name, is_closing
            )
            try:
                devices = held.enter_context(holding)
            except NotOpenedError as error:
                nobody = caused_by(parent.caught) if parent.caught else str(error)
                return crew.outcome(interrupted=parent.caught is not None, nobody=nobody)
        gpus = [name for name in devices if name != CPU]
        n_workers = session.workers if session.workers != AUTO else as_many_as_fit(gpus)
        _Processes(crew, parent, gpus).run(crew.places(n_workers))
        return crew.outcome(interrupted=parent.caught is not None)


def as_many_as_fit(gpus: Sequence[str]) -> int:
    """One worker per GPU; without any, one per core that this process may use and memory holds."""
    if gpus:
        return len(gpus)
    fitting = memory.available_bytes() // WORKER_BYTES
    return max(1, min(n_cores(), fitting))


class _Processes:
    """The workers of one window."""

    def __init__(self, crew: WorkerGroup, parent: Parent, gpus: Sequence[str]) -> None:
        self._crew = crew
        self._parent = parent
        self._gpus = gpus
        self._names: dict[int, str] = {}
        self._said: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._listeners: list[threading.Thread] = []

    def run(self, n_workers: int) -> None:
        """Begin the workers and stay until the last one has ended."""
        for place in range(n_workers):
            self._begin(place, n_workers)
        while self._names:
            for child, code in self._parent.ended():
                self._crew.ended(self._names.pop(child.pid), code)
            self._pass_on()
            self._crew.show()
            if self._names:
                time.sleep(_POLL_S)
        for listener in self._listeners:
            listener.join()
        self._pass_on()

    def _begin(self, place: int, n_workers: int) -> None:
        child = self._parent.begin(
            ptyrun_words(*self._crew.words(place, n_workers)),
            environment=self._environment(place, n_workers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if child is None or child.stderr is None:
            return  # a signal came: none begins any more
        name = f"worker {place + 1} (PID {child.pid})"
        self._names[child.pid] = name
        listener = threading.Thread(target=listen, args=(name, child.stderr, self._said))
        self._listeners.append(listener)
        listener.start()

    def _environment(self, place: int, n_workers: int) -> Mapping[str, str]:
        cores = n_cores()
        share = cores // n_workers + (place < cores % n_workers)
        environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, share))}
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[place % len(self._gpus)]
        return environment

    def _pass_on(self) -> None:
        while not self._said.empty():
            self._crew.hear(*self._said.get())


def listen(worker: str, stream: IO[bytes], said: queue.SimpleQueue[tuple[str, str]]) -> None:
    """Hand on what a worker writes, line by line; an error, which comes last, as a whole."""
    error: list[str] = []
    for raw in stream:
        line = raw.decode(errors="replace").rstrip()
        if error or line.startswith("error:"):
            error.append(line)
        elif line:
            said.put((worker, line))
    if error:
        said.put((worker, "\n".join(error)))
    stream.close()

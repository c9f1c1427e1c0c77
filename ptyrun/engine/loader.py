"""How are inputs read ahead of the computation?

The queue is bounded, so that memory does not grow with the run.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import Any

from ptyrun.engine.schedule import ChunkSpan, Schedule
from ptyrun.engine.work import Work

READ_AHEAD_BATCHES = 2
POLL_S = 0.1


@dataclass(frozen=True)
class Batch:
    """Inputs of some items of a stretch, or the error that reading them ended in."""

    stretch: ChunkSpan
    items: range
    inputs: Any
    error: Exception | None = None


class Loader:
    """Claims stretches and reads their inputs ahead of the computation."""

    def __init__(self, work: Work, schedule: Schedule) -> None:
        self._work = work
        self._schedule = schedule
        self._queue: queue.Queue[Batch | None] = queue.Queue(READ_AHEAD_BATCHES)
        self._stop = threading.Event()
        self.ended = False  # no batch will come any more
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="ptyrun-loader")
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                stretch = self._schedule.take()
                if stretch is not None:
                    self._load(stretch)
                elif not self._schedule.wait(POLL_S):
                    break
        except BaseException as error:
            self._error = error
        self._put(None)

    def _load(self, stretch: ChunkSpan) -> None:
        for items in stretch.batches(self._work.batch_items):
            try:
                batch = Batch(stretch, items, self._work.read(items))
            except Exception as error:
                batch = Batch(stretch, items, None, error)
            if not self._put(batch):
                self._schedule.dropped(stretch.chunks)
                return
            if batch.error is not None:
                return

    def _put(self, batch: Batch | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(batch, timeout=POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def get(self) -> Batch | None:
        """Return the next batch; None if none came within a moment.

        Raises what ended the thread, if anything did.
        """
        try:
            batch = self._queue.get(timeout=POLL_S)
        except queue.Empty:
            return None
        if batch is None:
            self.ended = True
            if self._error is not None:
                raise self._error
        return batch

    def close(self) -> None:
        """End the thread; what it read and nobody took is given back."""
        self._stop.set()
        self._thread.join()
        given_back = set()
        while not self._queue.empty():
            batch = self._queue.get()
            if batch is not None and batch.stretch.chunks not in given_back:
                given_back.add(batch.stretch.chunks)
                self._schedule.dropped(batch.stretch.chunks)

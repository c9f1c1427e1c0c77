"""How do outputs become committed chunks while the next ones are computed?

A thread checks what was computed, makes it durable, and then names it in the ledger. Chunks that
wait together are committed together: many small ones cost one sync of folder and ledger. What waits
is bounded, so that memory does not grow with the run; large chunks wait for each other where memory
is short (docs/decisions/host-memory.md).
"""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ptyrun.config import Fact
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.opening import OpenedSession
from ptyrun.engine.pace import CommitPace
from ptyrun.engine.records import Committed, Failed
from ptyrun.engine.schedule import ChunkSpan, Schedule
from ptyrun.engine.store import ChunkWriter, Stored
from ptyrun.engine.work import FATAL, Work
from ptyrun.errors import PredictorDiedError, PtyrunError, StorageError
from ptyrun.host import memory

WAITING_BYTES = 4 * 2**20
# A large chunk and what it takes to judge it, in sizes of the chunk.
ROOM_PER_CHUNK = 2
POLL_S = 0.1
TRACEBACK_CHARS = 20_000


@dataclass(frozen=True)
class Finished:
    """A stretch's outputs, not yet checked and written."""

    stretch: ChunkSpan
    outputs: NDArray[Any]
    chunk_s: float
    warm: bool


@dataclass(frozen=True)
class _Checked:
    """One chunk's outputs, judged good."""

    outputs: NDArray[Any]
    stats: Mapping[str, Fact]
    chunk_s: float
    warm: bool


class Writer:
    """Checks outputs, writes them for good, and commits them to the ledger."""

    def __init__(
        self,
        plan: ArmPlan,
        work: Work,
        chunks: ChunkWriter,
        schedule: Schedule,
        opened: OpenedSession,
        tell: Callable[[str, int, str], None],
        patience_s: Callable[[float], float] = lambda handed_over_s: math.inf,
    ) -> None:
        self._plan = plan
        self._patience_s = patience_s
        self._pace = CommitPace()
        self._offered_s = -math.inf
        self._arm = opened.ledger.progress.arms[plan.name]
        self._work = work
        self._chunks = chunks
        self._schedule = schedule
        self._current = opened.plan
        self._ledger = opened.ledger
        self._session = opened.session
        self._window = opened.window
        self._tell = tell
        self._waiting: deque[Finished] = deque()
        self._waiting_bytes = 0
        self._unwritten = 0
        self._closing = False
        self._changed = threading.Condition()
        self.error: BaseException | None = None
        self.committed = 0
        self.items_committed = 0
        self.failed_in_a_row = 0
        self.last_failure = ""
        self._thread = threading.Thread(target=self._run, name="ptyrun-writer")
        self._thread.start()

    @property
    def unwritten(self) -> int:
        """How many stretches are computed and not yet committed."""
        return self._unwritten

    def has_room(self, size_bytes: int) -> bool:
        """Tell whether outputs of that size may be begun; False comes after a moment's wait.

        One chunk may always be begun: whoever planned it meant it to fit.
        """
        self.raise_if_failed()
        with self._changed:
            if not self._unwritten or size_bytes <= WAITING_BYTES:
                return True
            if ROOM_PER_CHUNK * size_bytes <= memory.available_bytes():
                return True
            self._changed.wait(POLL_S)
            return False

    def offer(self, finished: Finished) -> bool:
        """Hand over outputs; False if there is no room within a moment."""
        self.raise_if_failed()
        size = finished.outputs.nbytes
        with self._changed:
            chunks = len(finished.stretch.chunks) + sum(
                len(w.stretch.chunks) for w in self._waiting
            )
            too_many = chunks > self._pace.waiting_chunks
            if self._waiting and (too_many or self._waiting_bytes + size > WAITING_BYTES):
                self._changed.wait(POLL_S)
                return False
            self._waiting.append(finished)
            self._offered_s = time.monotonic()
            self._waiting_bytes += size
            self._unwritten += 1
            self._changed.notify_all()
        return True

    def raise_if_failed(self) -> None:
        """Raise what ended the thread, if anything did."""
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Commit what waits, as far as there is time for it, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._chunks.close()

    def _run(self) -> None:
        try:
            while group := self._next_group():
                n_written = len(group)
                if self._fits(group):
                    self._commit(group)
                else:
                    for finished in group:
                        self._schedule.dropped(finished.stretch.chunks)
                group.clear()  # their memory is free before the next ones come
                with self._changed:
                    self._unwritten -= n_written
                    self._changed.notify_all()
        except BaseException as error:
            self.error = self._cause(error)

    def _fits(self, group: list[Finished]) -> bool:
        """Tell whether there is time to commit *group* before the session has to be over."""
        n_chunks = sum(len(finished.stretch.chunks) for finished in group)
        return self._pace.seconds(n_chunks) <= self._patience_s(self._offered_s)

    def _cause(self, error: BaseException) -> BaseException:
        """Say what an error of the disk comes from: the folder was moved away, perhaps."""
        if isinstance(error, OSError | StorageError):
            try:
                self._current.raise_if_failed()
            except PtyrunError as cause:
                return cause
        return error

    def _next_group(self) -> list[Finished]:
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            group: list[Finished] = []
            chunks = 0
            while self._waiting and chunks < self._pace.group_chunks:
                group.append(self._waiting.popleft())
                chunks += len(group[-1].stretch.chunks)
            self._waiting_bytes = sum(each.outputs.nbytes for each in self._waiting)
            self._changed.notify_all()
            return group

    def _commit(self, group: list[Finished]) -> None:
        # No byte of a replaced plan may lie where the new one writes.
        self._current.raise_if_failed()
        self._ledger.refresh()
        began_s = time.monotonic()
        failed: dict[int, int] = {}
        good: dict[int, _Checked] = {}
        fatal: Exception | None = None
        for finished in group:
            try:
                self._check(finished, good, failed)
            except FATAL as error:
                fatal = error
                break
        if good:
            stored, refusal = self._chunks.write({c: each.outputs for c, each in good.items()})
            write_s = round((time.monotonic() - began_s) / len(group), 6)
            records = [self._record(done, c, good[c], write_s) for c, done in stored.items()]
            self._session.append(records)
            self._pace.note(len(good), time.monotonic() - began_s)
            self.failed_in_a_row = 0
            # What fitted counts, also where a full disk refused the rest.
            good, fatal = {chunk: good[chunk] for chunk in stored}, refusal or fatal
        for chunk in good:
            self.committed += 1
            self.items_committed += len(self._plan.chunk_range(chunk))
            self._tell("committed", chunk, "")
        if fatal is not None:
            raise fatal
        for finished in group:
            chunks = finished.stretch.chunks
            self._schedule.finished(chunks, {c: failed[c] for c in chunks if c in failed})

    def _check(self, finished: Finished, good: dict[int, _Checked], failed: dict[int, int]) -> None:
        for chunk in finished.stretch.chunks:
            if self._arm.committed[chunk]:
                continue  # another worker was faster; what is committed never changes
            items = self._plan.chunk_range(chunk)
            start = finished.stretch.items.start
            outputs = finished.outputs[items.start - start : items.stop - start]
            try:
                stats = dict(self._work.check(items, outputs))
            except FATAL:
                raise
            except Exception as error:
                failed[chunk] = self.fail(chunk, error)
            else:
                good[chunk] = _Checked(outputs, stats, finished.chunk_s, finished.warm)

    def _record(self, stored: Stored, chunk: int, checked: _Checked, write_s: float) -> Committed:
        return Committed(
            arm=self._plan.name,
            chunk=chunk,
            key=stored.key,
            length=stored.length,
            crc32c=stored.crc32c,
            fingerprint=self._plan.fingerprint,
            attempt=self._schedule.attempt(chunk),
            seconds=round(checked.chunk_s, 6),
            write_s=write_s,
            warm=checked.warm,
            at_s=round(self._window.elapsed_s, 3),
            generation=self._arm.next_generation(chunk),
            stats=checked.stats,
        )

    def fail(self, chunk: int, error: BaseException) -> int:
        """Write down that an attempt at *chunk* ended in *error*; return its number."""
        attempt = self._schedule.attempt(chunk)
        failed = Failed(
            arm=self._plan.name,
            chunk=chunk,
            attempt=attempt,
            error=f"{type(error).__name__}: {error}",
            traceback="".join(traceback.format_exception(error))[-TRACEBACK_CHARS:],
            at_s=round(self._window.elapsed_s, 3),
            generation=self._arm.next_generation(chunk),
            by_chance=isinstance(error, PredictorDiedError) and error.by_chance,
            stretch=self._session.stretches,
        )
        self._session.append([failed])
        self.failed_in_a_row += 1
        self.last_failure = failed.error
        last = self._schedule.is_set_aside(chunk)
        self._tell("set_aside" if last else "failed", chunk, failed.error)
        return attempt

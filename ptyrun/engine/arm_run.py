"""How is one arm worked on, as far as window and signals let it?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.engine import patience
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.batches import KnownBatchLimit
from ptyrun.engine.closing import GRACE_S, LATE_S
from ptyrun.engine.index_arrays import check_indices
from ptyrun.engine.loader import Batch, Loader
from ptyrun.engine.opening import OpenedSession
from ptyrun.engine.records import ArmOpened, Started
from ptyrun.engine.schedule import ChunkSpan, Schedule
from ptyrun.engine.store import ChunkWriter, compression_of
from ptyrun.engine.window import TooShort, estimate, nothing_begun, nothing_done, nothing_fits
from ptyrun.engine.work import FATAL, OpenWork, Work
from ptyrun.engine.writer import Finished, Writer
from ptyrun.errors import CutOffError, ExitCode, OutOfMemoryError, PredictionError
from ptyrun.host.signals import Interrupts

MAX_FAILURES_IN_A_ROW = 8
COMMIT_GRACE_S = 1.0  # after a signal, what is computed is committed if that takes no longer

Observer = Callable[[str, "ArmPlan | None", int | None, str], None]


@dataclass(frozen=True)
class Stop:
    """Why a session ends before all is done."""

    reason: str
    code: ExitCode = ExitCode.INCOMPLETE
    enough_s: float | None = None  # of a window that is longer, if nothing came of this one

    @classmethod
    def of(cls, short: TooShort) -> Self:
        """End for want of time."""
        return cls(short.why, enough_s=short.enough_s)


@dataclass
class SessionContext:
    """What the arms of one session have in common."""

    opened: OpenedSession
    interrupts: Interrupts
    tell: Observer
    began_work: bool = False
    startup_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.paths = self.opened.paths
        self.ledger = self.opened.ledger
        self.session = self.opened.session
        self.window = self.opened.window
        self.startup_s = self.window.elapsed_s
        self._asked_s = math.inf

    def patience_s(self, handed_over_s: float) -> float:
        """Seconds that committing may still take, of what was handed over then (monotonic clock).

        A chunk that was in hand when a signal came is committed although it ended later.
        """
        left_s = self.window.remaining_s + LATE_S
        if self.interrupts.reason is not None:
            self._asked_s = min(self._asked_s, time.monotonic())
            since_s = time.monotonic() - max(self._asked_s, handed_over_s)
            left_s = min(left_s, COMMIT_GRACE_S - since_s)
        return left_s

    def closing(self, *, waiting: bool = False) -> Stop | None:
        """Say why nothing may be begun any more, if so; *waiting* for others, nothing has to be."""
        if self.interrupts.reason is not None:
            return Stop(self.interrupts.reason)
        if self.window.remaining_s > 0:
            return None
        if waiting:
            return Stop(patience.WAITED)
        short = nothing_begun(self.window)
        return Stop(
            "the window is used up" if self.began_work else short.why, enough_s=short.enough_s
        )

    def no_room(
        self,
        plan: ArmPlan,
        chunks: range,
        *,
        loaded: bool,
        unwritten: int,
        unwritten_item_s: float = 0.0,
    ) -> Stop | None:
        """Say why *chunks* may not be begun any more, if so; see `estimate`."""
        if stop := self.closing():
            return stop
        arm = self.ledger.progress.arms[plan.name]
        n_items = plan.chunk_range(chunks[-1]).stop - plan.chunk_range(chunks[0]).start
        first = not self.began_work
        needed = estimate(
            arm, n_items, loaded=loaded, first=first, unwritten_item_s=unwritten_item_s
        )
        if needed is None or needed.total_s(unwritten) <= self.window.remaining_s:
            return None
        if first:
            return Stop.of(nothing_fits(self.window, needed))
        return Stop("no further chunk fits the window")


class ArmRun:
    """One arm in one session: its model, loader, writer, and the loop between them."""

    def __init__(
        self, context: SessionContext, plan: ArmPlan, schedule: Schedule, work: Work
    ) -> None:
        self._context = context
        self._plan = plan
        self._schedule = schedule
        self._work = work
        self._arm = context.ledger.progress.arms[plan.name]
        compression = compression_of(context.opened.manifest)
        chunks = ChunkWriter(context.paths, plan, compression, self._committed_by_now)
        self._writer = Writer(
            plan, work, chunks, schedule, context.opened, self._tell, context.patience_s
        )
        self._loader = Loader(work, schedule)
        self._in_hand: ChunkSpan | None = None
        self._outputs: NDArray[Any] = np.empty(0)
        self._skipped: ChunkSpan | None = None
        self._began_s = time.monotonic()
        self._began_at_s = 0.0
        self._warm = False
        self._item_s = 0.0

    def _committed_by_now(self) -> bytearray:
        """Read what other sessions committed; asked before chunks get their names."""
        self._context.opened.plan.raise_if_failed()  # none may get one where a new plan writes
        self._context.ledger.refresh()
        return self._arm.committed

    def _tell(self, kind: str, chunk: int, message: str) -> None:
        self._context.tell(kind, self._plan, chunk, message)

    def loop(self) -> Stop | None:
        """Compute until nothing is left to take, or return why it ends before."""
        while not self._loader.ended:
            batch = self._loader.get()
            self._writer.raise_if_failed()
            if stop := self._hopeless():
                return stop
            if batch is None:
                stop = self._context.closing()
            elif batch.stretch is not self._skipped:
                stop = self._take(batch)
            if stop is not None:
                return stop
        return None

    def _hopeless(self) -> Stop | None:
        in_a_row = self._writer.failed_in_a_row
        if in_a_row < MAX_FAILURES_IN_A_ROW or self._writer.unwritten:
            return None  # what waits to be committed may end the row
        reason = f"{in_a_row} attempts in a row failed, the last with {self._writer.last_failure}"
        return Stop(reason, ExitCode.FAILED)

    def _take(self, batch: Batch) -> Stop | None:
        if batch.items.start == batch.stretch.items.start:
            stop = self._begin(batch.stretch)
        else:
            stop = self._leave(batch.items.start)
        if stop is None:
            try:
                if batch.error is not None:
                    raise batch.error
                self._compute(batch)
            except FATAL:
                raise
            except CutOffError as error:
                return self._cut_off(batch.items.start, error)
            except Exception as error:
                self._fail(batch.stretch, error)
        return stop

    def _begin(self, stretch: ChunkSpan) -> Stop | None:
        context = self._context
        self._in_hand = stretch
        stop = context.no_room(
            self._plan,
            stretch.chunks,
            loaded=True,
            unwritten=self._writer.unwritten,
            unwritten_item_s=self._item_s,
        )
        if stop is not None:
            return stop
        if (outputs := self._room_for(stretch)) is None:
            return context.closing()
        context.began_work = True
        self._began_s = max(self._began_s, stretch.taken_s)
        self._began_at_s = context.window.elapsed_s
        at_s = round(self._began_at_s, 3)
        starts = [
            Started(
                arm=self._plan.name,
                chunk=chunk,
                generation=self._arm.next_generation(chunk),
                at_s=at_s,
                stretch=context.session.stretches + 1,
                together=len(stretch.chunks),
            )
            for chunk in stretch.chunks
        ]
        context.session.append(starts, sync=False)
        self._tell("started", stretch.chunks[0], "")
        self._outputs = outputs
        return None

    def _room_for(self, stretch: ChunkSpan) -> NDArray[Any] | None:
        """Make room for outputs as soon as memory allows; None if the session closes before."""
        shape = (len(stretch.items), *self._plan.item_shape)
        dtype = np.dtype(self._plan.dtype)
        size_bytes = math.prod(shape) * dtype.itemsize
        while not self._writer.has_room(size_bytes):
            if self._context.closing():
                return None
        try:
            return np.empty(shape, dtype)
        except MemoryError as error:
            raise OutOfMemoryError(
                f"{len(stretch.items)} items of arm {self._plan.name!r} do not fit into memory",
                why=f"{error}; what was computed before is committed",
                do="free memory, or plan into another folder with smaller chunks",
            ) from error

    def _leave(self, item: int) -> Stop | None:
        """Say why the stretch in hand is dropped, if the session has to end and its end is far."""
        context, stretch = self._context, self._in_hand
        if stretch is None or (stop := context.closing()) is None:
            return None
        asked = context.interrupts.reason is not None
        left_s = (stretch.items.stop - item) * (self._arm.item_s or np.inf)
        if left_s <= (GRACE_S if asked else context.window.remaining_s + LATE_S):
            return None
        if asked:
            return stop
        return self._nothing_done(item) or stop

    def _nothing_done(self, item: int) -> Stop | None:
        """Say that the window was too short for its first chunk, if that is so."""
        stretch = self._in_hand
        if stretch is None or self._writer.unwritten or self._writer.committed:
            return None
        share = (item - stretch.items.start) / len(stretch.items)
        return Stop.of(nothing_done(self._context.window, self._began_at_s, share))

    def _cut_off(self, item: int, error: CutOffError) -> Stop:
        """Say why the stretch in hand is dropped in the middle of a batch."""
        if self._context.interrupts.reason is not None:
            return Stop(self._context.interrupts.reason)
        if self._context.window.budget_s is None:
            return Stop(str(error))
        return self._nothing_done(item) or self._context.closing() or Stop(str(error))

    def _compute(self, batch: Batch) -> None:
        items, stretch = batch.items, batch.stretch
        outputs = np.asarray(self._work.compute(batch.inputs, len(items)))
        expected = ((len(items), *self._plan.item_shape), self._plan.dtype)
        if (outputs.shape, str(outputs.dtype)) != expected:
            raise PredictionError(
                f"{len(items)} items gave outputs of shape {outputs.shape}, {outputs.dtype}",
                why=f"expected were shape {expected[0]}, {expected[1]}: one output per item",
                do="correct the predictor; ptyrun.testing.PredictorContract tests it",
            )
        self._outputs[items.start - stretch.items.start : items.stop - stretch.items.start] = (
            outputs
        )
        if items.stop == stretch.items.stop:
            self._hand_over(stretch)

    def _hand_over(self, stretch: ChunkSpan) -> None:
        seconds = time.monotonic() - self._began_s
        self._item_s = seconds / len(stretch.items)
        finished = Finished(stretch, self._outputs, seconds / len(stretch.chunks), self._warm)
        handed_over_s = time.monotonic()
        while not self._writer.offer(finished):
            if self._context.patience_s(handed_over_s) <= 0:  # a disk this slow takes it no more
                self._in_hand = None
                self._schedule.dropped(stretch.chunks)
                return
        self._began_s = time.monotonic()
        self._warm = True
        self._in_hand = None
        self._outputs = np.empty(0)  # the writer's alone now, which lets go of them

    def _fail(self, stretch: ChunkSpan, error: Exception) -> None:
        self._skipped = stretch  # what the loader already read of it
        self._in_hand = None
        if len(stretch.chunks) > 1:
            self._schedule.failed_together(stretch.chunks)
        else:
            attempt = self._writer.fail(stretch.chunks[0], error)
            self._schedule.finished(stretch.chunks, {stretch.chunks[0]: attempt})

    def close(self) -> None:
        """End both threads; what was handed over is committed, the rest given back."""
        self._loader.close()
        self._writer.close()
        if self._in_hand is not None:
            self._schedule.dropped(self._in_hand.chunks)

    def raise_if_failed(self) -> None:
        """Raise what ended the writer, if anything did."""
        self._writer.raise_if_failed()

    @property
    def committed(self) -> tuple[int, int]:
        """Chunks and items that were committed."""
        return self._writer.committed, self._writer.items_committed


@contextmanager
def opened_work(context: SessionContext, plan: ArmPlan, open_work: OpenWork) -> Iterator[Work]:
    """Load the arm's model, write down how long it took, and let go of it at the end."""
    check_indices(context.paths, plan.index_sha256)
    context.tell("arm", plan, None, "loading")
    began_s = time.monotonic()
    arm = context.ledger.progress.arms[plan.name]
    work = open_work(plan, KnownBatchLimit(arm, context.session, context.window))
    try:
        seconds = round(time.monotonic() - began_s, 3)
        context.session.append([ArmOpened(plan.name, seconds)], sync=False)
        yield work
    finally:
        work.close()

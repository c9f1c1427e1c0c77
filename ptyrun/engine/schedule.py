"""Which chunks next?

Fresh chunks in order first; those that were tried in vain go last, one by one and with a pause, so
that a chunk that kills its worker, or a killer from outside, stops nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.claims import Claims
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.poison import is_set_aside
from ptyrun.engine.progress import MAX_ATTEMPTS

BACKOFF_S = 0.25
# How long a chunk may be with another worker: so many times what it takes as a rule, and more.
PATIENCE, LEAST_PATIENCE_S = 4, 5.0


@dataclass(frozen=True)
class ChunkSpan:
    """Neighbouring chunks that are read and computed together."""

    chunks: range
    items: range
    taken_s: float

    def batches(self, batch_items: int) -> Iterator[range]:
        """Cut the items at the multiples of *batch_items*.

        So every item has its place in a batch, whatever the chunks and sessions: what is computed
        may depend on the place, by rounding.
        """
        start = self.items.start
        while start < self.items.stop:
            stop = min(start - start % batch_items + batch_items, self.items.stop)
            yield range(start, stop)
            start = stop


class Quota:
    """How many chunks a session may still begin."""

    def __init__(self, chunks: int | None) -> None:
        self.left = chunks

    def allows(self, wanted: int) -> int:
        """Cut *wanted* down to what is left."""
        return wanted if self.left is None else min(wanted, self.left)

    def use(self, chunks: int) -> None:
        """Count *chunks* as begun; a negative number gives them back."""
        if self.left is not None:
            self.left -= chunks


class Schedule:
    """Takes chunks of one arm for this session. Safe to use from several threads.

    Parameters
    ----------
    arm : ArmPlan
    ledger : Ledger
    claims : Claims
    quota : Quota
    max_attempts : int
        After as many failures, or at least as many deaths, a chunk is set aside.

    Attributes
    ----------
    batch_items : int
        Neighbouring chunks are computed together as far as they fill batches of as many.
    """

    def __init__(
        self,
        arm: ArmPlan,
        ledger: Ledger,
        claims: Claims,
        quota: Quota,
        *,
        max_attempts: int,
    ) -> None:
        self._plan = arm
        self._arm = ledger.progress.arms[arm.name]
        self._ledger = ledger
        self._claims = claims
        self._quota = quota
        self.batch_items = 1
        self._max_attempts = max_attempts
        self._not_before_s: dict[int, float] = {}
        self._single: set[int] = set()
        self._in_hand: set[int] = set()
        self._seen_s: dict[int, float] = {}  # since when another worker is seen at a chunk
        self._changed = threading.Condition()

    def has_left(self) -> bool:
        """Tell whether any chunk is neither committed nor set aside."""
        with self._ledger.lock:
            n_missing = self._arm.plan.n_chunks - self._arm.chunks_committed
            return n_missing > len(self.set_aside())

    def has_ready(self) -> bool:
        """Tell whether a chunk could be taken now."""
        self._ledger.refresh()
        others = self._taken_by_others()
        with self._changed, self._ledger.lock:
            return bool(self._pick(others))

    def take(self) -> ChunkSpan | None:
        """Claim the next chunks; None if there is nothing to take now."""
        with self._claims.board():
            self._ledger.refresh()
            others = self._taken_by_others()
            with self._changed, self._ledger.lock:
                if self._in_hand and self._are_last(others):
                    return None  # read ahead, they would wait here while another worker is idle
                chunks = self._pick(others)
                if not chunks:
                    return None
                self._in_hand.update(chunks)
                self._quota.use(len(chunks))
            self._claims.take(self._plan.name, chunks)
        first, last = self._plan.chunk_range(chunks[0]), self._plan.chunk_range(chunks[-1])
        return ChunkSpan(chunks, range(first.start, last.stop), time.monotonic())

    def _taken_by_others(self) -> set[int]:
        """Chunks that others work on, and are believed to finish.

        What is left at the end with a worker that is frozen or far slower than the others is
        computed again by one that has nothing else to do: whoever is first commits it.
        """
        claimed = self._claims.others(self._plan.name)
        now_s = time.monotonic()
        with self._ledger.lock:
            open_ = {chunk for chunk in claimed if self._is_missing(chunk)}
            item_s = self._arm.item_s
        self._seen_s = {chunk: self._seen_s.get(chunk, now_s) for chunk in open_}
        if item_s is None:
            return open_
        patience_s = LEAST_PATIENCE_S + PATIENCE * item_s * self._plan.chunk_items * len(open_)
        return {chunk for chunk in open_ if now_s - self._seen_s[chunk] <= patience_s}

    def _is_missing(self, chunk: int) -> bool:
        return 0 <= chunk < self._plan.n_chunks and not self._arm.committed[chunk]

    def _are_last(self, others: set[int]) -> bool:
        """Tell whether no more chunks are free than there are other workers."""
        n_others = self._claims.n_others
        free = (c for c in self._arm.missing() if c not in others and c not in self._in_hand)
        return n_others > 0 and sum(1 for _ in islice(free, n_others + 1)) <= n_others

    def _pick(self, others: set[int]) -> range:
        start: int | None = None
        stop = end = 0
        if self._quota.allows(1) < 1:
            return range(0)
        for chunk in self._arm.missing():
            if chunk in others or chunk in self._in_hand or self._is_marked(chunk):
                if start is not None:
                    break
            elif start is None:
                start, stop, end = chunk, chunk + 1, self._end(chunk)
            elif chunk == stop:
                stop += 1
            else:
                break
            if start is not None and stop >= end:
                break
        return self._pick_marked(others) if start is None else range(start, stop)

    def _pick_marked(self, others: set[int]) -> range:
        now_s = time.monotonic()
        marked = [
            (self._attempts(chunk), chunk)
            for chunk in self._arm.missing()
            if chunk not in others
            and chunk not in self._in_hand
            and self._not_before_s.get(chunk, 0.0) <= now_s
            and not self.is_set_aside(chunk)
        ]
        _, first = min(marked, default=(0, -1))
        if first < 0:
            return range(0)
        stop = first + 1
        alike = {chunk for count, chunk in marked if count == 1 and self._may_be_innocent(chunk)}
        if first in alike:
            end = self._end(first)
            while stop in alike and stop < end:
                stop += 1
        return range(first, stop)

    def _end(self, first: int) -> int:
        """The end of the chunks that fill the batches which chunk *first* needs anyway."""
        filled = -(-self._plan.chunk_range(first).stop // self.batch_items) * self.batch_items
        n_chunks = self._plan.n_chunks
        end = n_chunks if filled >= self._plan.n_items else filled // self._plan.chunk_items
        return min(end, first + self._quota.allows(n_chunks))

    def _may_be_innocent(self, chunk: int) -> bool:
        """Tell whether nothing but one session's death speaks against *chunk*."""
        return chunk not in self._single and chunk not in self._arm.failures

    def _is_marked(self, chunk: int) -> bool:
        """Tell whether *chunk* was tried in vain, or in vain together with its neighbours."""
        tried = chunk in self._arm.failures or chunk in self._arm.open_starts
        return chunk in self._single or (tried and self._attempts(chunk) > 0)

    def _attempts(self, chunk: int) -> int:
        return self._ledger.attempts(self._arm, chunk, self._claims.is_alive)

    def attempt(self, chunk: int) -> int:
        """Number of the attempt that *chunk* is in now, from 1."""
        with self._ledger.lock:
            return self._attempts(chunk) + 1

    def is_set_aside(self, chunk: int) -> bool:
        """Tell whether *chunk* was tried too often."""
        with self._ledger.lock:
            alive = self._claims.is_alive
            return is_set_aside(self._ledger, self._arm, chunk, alive, self._max_attempts)

    def set_aside(self) -> list[int]:
        """Chunks that were tried too often."""
        with self._ledger.lock:
            tried = {*self._arm.failures, *self._arm.open_starts}
            return sorted(filter(self.is_set_aside, tried))

    def finished(self, chunks: range, failed: Mapping[int, int] | None = None) -> None:
        """Let go of *chunks*.

        Parameters
        ----------
        chunks : range
            As they were taken.
        failed : mapping, optional
            Those among them that failed, with the number of the attempt: to be tried again, each
            after a pause.
        """
        with self._changed:
            for chunk, attempt in (failed or {}).items():
                self._not_before_s[chunk] = time.monotonic() + BACKOFF_S * 2 ** min(
                    attempt, MAX_ATTEMPTS
                )
            self._in_hand.difference_update(chunks)
            self._claims.drop(self._plan.name, chunks)
            self._changed.notify_all()

    def dropped(self, chunks: range) -> None:
        """Let go of *chunks* as if they had never been taken."""
        self._quota.use(-len(chunks))
        self.finished(chunks)

    def failed_together(self, chunks: range) -> None:
        """Give *chunks* back, each to be tried alone: one of them failed."""
        with self._changed:
            self._single.update(chunks)
        self.dropped(chunks)

    def wait(self, timeout_s: float) -> bool:
        """Wait for a change; False if this session has nothing in hand and nothing to retry."""
        with self._changed:
            if not self._in_hand and not self._retries():
                return False
            self._changed.wait(timeout_s)
            return True

    def _retries(self) -> bool:
        with self._ledger.lock:
            return (
                any(
                    not self._arm.committed[chunk] and not self.is_set_aside(chunk)
                    for chunk in self._not_before_s
                )
                and self._quota.allows(1) > 0
            )

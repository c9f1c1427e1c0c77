"""What do a ledger's lines add up to?

Folding is independent of the order of sessions: a chunk is committed if one of its commits has a
generation above every one that was forgotten. Built without NumPy, so that ``status`` is quick.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import NamedTuple

from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import (
    ArmOpened,
    Committed,
    Failed,
    Forgotten,
    Halved,
    Pruned,
    Record,
    Reused,
    Started,
)

RECENT = 32
MAX_ATTEMPTS = 3  # after as many a chunk is set aside; deaths need more: see poison.py


class Cost(NamedTuple):
    """What one chunk cost: seconds per item of the session's time, seconds of its writing."""

    item_s: float
    write_s: float
    warm: bool


class ArmProgress:
    """What happened to one arm's chunks.

    Attributes
    ----------
    lengths, crcs : array, one number per chunk
        Of the stored bytes; meaningful where ``committed``.
    costs : deque of Cost
        Of recent chunks, the latest last.
    load_s : deque of float
        Of recent model loads.
    halvings : list of Halved
        Each time that a batch did not fit into memory.
    """

    def __init__(self, plan: ArmPlan) -> None:
        self.plan = plan
        self._n_chunks = plan.n_chunks
        self._committed = bytearray(plan.n_chunks)
        # Counted as chunks come and go: among a million, counting each time would be the work.
        self._n_committed = 0
        self._first_missing = 0  # none is missing below it
        self.lengths = array("Q", bytes(8 * plan.n_chunks))
        self.crcs = array("I", bytes(4 * plan.n_chunks))
        self.costs: deque[Cost] = deque(maxlen=RECENT)
        self.load_s: deque[float] = deque(maxlen=RECENT)
        self.halvings: list[Halved] = []
        self.generations: dict[int, int] = {}  # of commits, where not 0
        self.forgotten: dict[int, int] = {}
        self.rivals: dict[int, set[tuple[int, int]]] = {}  # other bytes of equal standing
        self.failures: dict[int, list[Failed]] = {}
        self.open_starts: dict[int, dict[str, Started]] = {}  # chunk -> session -> its start
        self.reused = 0  # chunks that were copied from other runs
        self.pruned_generation = -1  # commits up to this one are given up
        self.commits = 0  # lines, duplicates included

    @property
    def committed(self) -> bytearray:
        """1 per chunk that counts as done; to be read, and set only as a whole."""
        return self._committed

    @committed.setter
    def committed(self, committed: bytearray) -> None:
        self._committed = committed
        self._n_committed = committed.count(1)
        self._first_missing = 0

    def apply(self, session: str, record: Record) -> None:
        """Add one line of *session* to the sum."""
        match record:
            case Committed():
                self._commit(session, record)
            case Started():
                if self._counts(record.chunk, record.generation):
                    self.open_starts.setdefault(record.chunk, {})[session] = record
            case Failed():
                self._end_start(session, record.chunk)
                if self._counts(record.chunk, record.generation):
                    self.failures.setdefault(record.chunk, []).append(record)
            case Forgotten():
                self._forget(record)
            case ArmOpened():
                self.load_s.append(record.seconds)
            case Reused():
                if record.fingerprint == self.plan.fingerprint:
                    self.reused += record.chunks
            case Pruned():
                if record.fingerprint == self.plan.fingerprint:
                    self.pruned_generation = max(self.pruned_generation, record.generation)
            case Halved():
                if record.fingerprint == self.plan.fingerprint:
                    self.halvings.append(record)

    def _counts(self, chunk: int, generation: int) -> bool:
        return generation > self.forgotten.get(chunk, -1) and 0 <= chunk < self._n_chunks

    def _commit(self, session: str, record: Committed) -> None:
        self.commit(
            session,
            record.chunk,
            record.generation,
            record.fingerprint,
            (record.length, int(record.crc32c, 16)),
            (record.seconds, record.write_s, record.warm),
        )

    def commit(
        self,
        session: str,
        chunk: int,
        generation: int,
        fingerprint: str,
        bytes_: tuple[int, int],
        took: tuple[float, float, bool],
    ) -> None:
        """Count a chunk of *session* as done, if it is one of this plan.

        Parameters
        ----------
        bytes_ : (int, int)
            Length and CRC of what was stored.
        took : (float, float, bool)
            Seconds of the session, seconds of writing, whether it was warm.
        """
        if fingerprint != self.plan.fingerprint:
            return
        if chunk in self.open_starts:
            self._end_start(session, chunk)
        if not self._counts(chunk, generation):
            return
        self.commits += 1
        if self._committed[chunk]:
            known = self.generations.get(chunk, 0)
            if generation <= known:
                if generation == known and bytes_ != (self.lengths[chunk], self.crcs[chunk]):
                    self.rivals.setdefault(chunk, set()).add(bytes_)
                return
        else:
            self._committed[chunk] = 1
            self._n_committed += 1
        self.lengths[chunk], self.crcs[chunk] = bytes_
        if self.rivals:
            self.rivals.pop(chunk, None)
        if generation:
            self.generations[chunk] = generation
        seconds, write_s, warm = took
        n_items = self.plan.chunk_items
        if chunk == self._n_chunks - 1:
            n_items = len(self.plan.chunk_range(chunk))
        self.costs.append(Cost(seconds / n_items, write_s, warm))

    def _end_start(self, session: str, chunk: int) -> None:
        if sessions := self.open_starts.get(chunk):
            sessions.pop(session, None)
            if not sessions:
                del self.open_starts[chunk]

    def _forget(self, record: Forgotten) -> None:
        chunk = record.chunk
        if not self._counts(chunk, record.generation):
            return
        self.forgotten[chunk] = record.generation
        if self.generations.get(chunk, 0) <= record.generation:
            self._n_committed -= self._committed[chunk]
            self._committed[chunk] = 0
            self._first_missing = min(self._first_missing, chunk)
        kept = [f for f in self.failures.pop(chunk, []) if f.generation > record.generation]
        if kept:
            self.failures[chunk] = kept
        for session, started in list(self.open_starts.get(chunk, {}).items()):
            if started.generation <= record.generation:
                self._end_start(session, chunk)

    def close_starts(self, session: str) -> None:
        """Drop the open starts of a session that ended in good order."""
        for chunk in [c for c, sessions in self.open_starts.items() if session in sessions]:
            self._end_start(session, chunk)

    def lacks_on_purpose(self, chunk: int) -> bool:
        """Tell whether a chunk counts as done although its file may be gone: it was deleted."""
        if not self.committed[chunk] or self.pruned_generation < 0:
            return False
        return self.generations.get(chunk, 0) <= self.pruned_generation

    @property
    def chunks_pruned(self) -> int:
        """How many chunks were deleted."""
        if self.pruned_generation < 0:
            return 0
        return sum(map(self.lacks_on_purpose, range(self.plan.n_chunks)))

    @property
    def is_pruned(self) -> bool:
        """Whether all that there was is given up."""
        return 0 < self.plan.n_chunks == self.chunks_pruned

    def next_generation(self, chunk: int) -> int:
        """Return the generation that a commit of *chunk* must have now to count."""
        return self.forgotten.get(chunk, -1) + 1

    def accepts(self, chunk: int, length: int, crc: int) -> bool:
        """Are these the bytes that a commit named?"""
        known = (self.lengths[chunk], self.crcs[chunk])
        return (length, crc) == known or (length, crc) in self.rivals.get(chunk, ())

    def accepts_length(self, chunk: int, length: int) -> bool:
        """Is this a length that a commit named?"""
        rivals = self.rivals.get(chunk, ())
        return length == self.lengths[chunk] or any(length == each for each, _ in rivals)

    @property
    def stored_sha256(self) -> str:
        """Digest lengths and CRCs of all chunks: the stored bytes, as far as the ledger knows."""
        return hashlib.sha256(self.lengths.tobytes() + self.crcs.tobytes()).hexdigest()

    @property
    def chunks_committed(self) -> int:
        """How many chunks count as done."""
        return self._n_committed

    @property
    def items_committed(self) -> int:
        """How many items count as done."""
        plan = self.plan
        done = self.chunks_committed * plan.chunk_items
        if plan.n_chunks and self.committed[-1]:
            done -= plan.n_chunks * plan.chunk_items - plan.n_items
        return done

    def missing(self) -> Iterator[int]:
        """Chunks that do not count as done, in order."""
        chunk = self._committed.find(0, self._first_missing)
        self._first_missing = chunk if chunk >= 0 else self.plan.n_chunks
        while chunk >= 0:
            yield chunk
            chunk = self._committed.find(0, chunk + 1)

    @property
    def largest_working_batch(self) -> int | None:
        """The largest batch that is not known to be too large; None if none ever was."""
        return min((halving.after_items for halving in self.halvings), default=None)

    @property
    def item_s(self) -> float | None:
        """Seconds per item as a rule: median of recent chunks, first ones left out if possible."""
        warm = [cost.item_s for cost in self.costs if cost.warm]
        every = warm or [cost.item_s for cost in self.costs]
        return median(every) if every else None


class Progress:
    """What happened to a run: its arms by name."""

    def __init__(self, manifest: Manifest) -> None:
        self.arms: Mapping[str, ArmProgress] = {arm.name: ArmProgress(arm) for arm in manifest.arms}

    def apply(self, session: str, record: Record) -> None:
        """Add one line of *session* to the sum; lines about arms that are gone do not count."""
        arm = self.arms.get(getattr(record, "arm", ""))
        if arm is not None:
            arm.apply(session, record)

    def close_starts(self, session: str) -> None:
        """Drop the open starts of a session that ended in good order."""
        for arm in self.arms.values():
            arm.close_starts(session)

    @property
    def chunks_committed(self) -> int:
        """How many chunks count as done, over all arms."""
        return sum(arm.chunks_committed for arm in self.arms.values())

    def chunks_left(self, arms: Iterable[str] | None = None) -> int:
        """How many chunks are missing, of *arms* or of all."""
        found = [self.arms[name] for name in (self.arms if arms is None else arms)]
        return sum(arm.plan.n_chunks - arm.chunks_committed for arm in found)

    def items_left(self, arms: Iterable[str] | None = None) -> int:
        """How many items are missing, of *arms* or of all."""
        found = [self.arms[name] for name in (self.arms if arms is None else arms)]
        return sum(arm.plan.n_items - arm.items_committed for arm in found)

    def eta_s(self, arms: Iterable[str] | None = None) -> float | None:
        """Seconds that the missing items will take; None if an arm has no figures yet."""
        total = 0.0
        for name in self.arms if arms is None else arms:
            arm = self.arms[name]
            left = arm.plan.n_items - arm.items_committed
            if left and arm.item_s is None:
                return None
            total += left * (arm.item_s or 0.0)
        return total

    def windows_left(
        self, eta_s: float | None, budget_s: float | None, startup_s: float
    ) -> int | None:
        """Count the windows of *budget_s* that *eta_s* will take, where that can be told."""
        if eta_s is None or budget_s is None:
            return None
        loads_s = [arm.load_s[-1] for arm in self.arms.values() if arm.load_s]
        useful_s = budget_s - startup_s - max(loads_s, default=0.0)
        return math.ceil(eta_s / useful_s) if useful_s > 0 else None

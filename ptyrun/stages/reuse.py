"""Which chunks of another run are this run's too? They are copied instead of being predicted again.

A patch is the same where the same network, asked in the same way, is given the same frames with the
same normalisation in the same row of a batch. Both runs' tables say that group by group, so that
chunks may be cut otherwise. What is taken over is read with its checksum, and committed like a
chunk that was predicted.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import assembly, gates
from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.model_facts import ModelFacts
from ptyrun.comparison.run import Run
from ptyrun.config import Fact
from ptyrun.engine import ownership
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.integrity import byte_damages, size_damages
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.opening import OpenedSession, opened_session
from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.records import Committed, Reused
from ptyrun.engine.store import ChunkWriter, compression_of
from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode, IdentityError, UsageError
from ptyrun.progress import SILENT, Watcher
from ptyrun.texts import counted

_SHARED = ("scan_sha256", "diffraction_kind")
# How many groups an arm has; which ones these are is in its tables.
_AMOUNT = "limit_groups"
# What may differ between arms that predict the same; facts are compared one by one.
_OWN_AFFAIR = frozenset({"name", "label", "n_items", "chunk_items", "facts", "index_sha256"})
_NOWHERE = -1
_CHUNKS_AT_ONCE = 8


@dataclass(frozen=True)
class Taken:
    """What one arm got from one run; *why* says why there is nothing."""

    arm: str
    source: Path
    n_chunks: int
    n_left: int
    why: str = ""

    def __str__(self) -> str:
        if self.why:
            return f"{self.arm}: nothing can be taken from {self.source}: {self.why}"
        left = f"; {self.n_left} are left" if self.n_left else ""
        return f"{self.arm}: {counted(self.n_chunks, 'chunk')} taken from {self.source}{left}"


@dataclass
class _SourceArm:
    """One arm of another run: its committed patches by group."""

    source: Run
    plan: ArmPlan
    whole: dict[int, bool] = field(default_factory=dict)
    _chunk: int = _NOWHERE
    _patches: NDArray[Any] = field(default_factory=lambda: np.empty(0))

    @property
    def progress(self) -> ArmProgress:
        return self.source.progress.arms[self.plan.name]

    @cached_property
    def index(self) -> ArmIndex:
        return ArmIndex.read(self.source.paths, self.plan)

    @cached_property
    def item_s(self) -> dict[int, float]:
        """What a group of each chunk cost when it was predicted."""
        return {
            record.chunk: record.seconds / len(self.plan.chunk_range(record.chunk))
            for _, record in read_records(self.source.paths)
            if isinstance(record, Committed) and record.fingerprint == self.plan.fingerprint
        }

    @cached_property
    def wrong_sizes(self) -> set[int | None]:
        return {damage.chunk for damage in size_damages(self.source.paths, self.progress)}

    def is_whole(self, chunk: int) -> bool:
        """Whether every byte of a committed chunk is the one that was committed."""
        if chunk not in self.whole:
            done = bool(self.progress.committed[chunk]) and chunk not in self.wrong_sizes
            damages = byte_damages(self.source.paths, self.progress, chunk) if done else ()
            self.whole[chunk] = done and not any(damages)
        return self.whole[chunk]

    def patches(self, items: NDArray[np.int64]) -> NDArray[Any]:
        """Patches of some groups, (n, N, N); memory is bounded by one chunk."""
        found = np.empty((len(items), *self.plan.item_shape), self.plan.dtype)
        chunks = items // self.plan.chunk_items
        for chunk in np.unique(chunks):
            rows = self.plan.chunk_range(int(chunk))
            if self._chunk != chunk:
                array = assembly.open_patches(self.source.paths, self.plan)
                self._patches = np.asarray(array[rows.start : rows.stop])
                self._chunk = int(chunk)
            found[chunks == chunk] = self._patches[items[chunks == chunk] - rows.start]
        return found


def require_sources(run_dir: Path, sources: Sequence[Path]) -> None:
    """See, before any work, that each source is a planned run of this user.

    Raises
    ------
    IdentityError, InputError, UsageError
        If one is not, or is the run itself; or if a newer ptyrun wrote down whose it is.
    """
    for folder in sources:
        if folder.resolve() == run_dir.resolve():
            raise UsageError(
                f"--reuse {folder} names the run itself",
                why="its chunks are there",
                do="name another run, or leave --reuse out",
            )
        source = Run(folder)
        _ = source.manifest  # it is planned
        paths = source.paths
        # Marks move with a folder: whose files these are now is another question.
        owner = paths.manifest.stat().st_uid
        if owner != os.geteuid():
            raise _foreign(folder, f"its files belong to another user (UID {owner})", "copy it, ")
        if not ownership.is_own(paths):
            ownership.refuse_newer(paths)
            raise _foreign(folder, "it was not planned by this user on this machine")


def _foreign(folder: Path, whose: str, first: str = "") -> IdentityError:
    return IdentityError(
        f"--reuse {folder}: {whose}",
        why="checksums prove that chunks are whole, not who computed them",
        do=f"if you trust it, {first}adopt it once with "
        f"`ptyrun run {shlex.quote(str(folder))} --adopt`, then give this command again",
    )


def reuse(
    run_dir: Path,
    sources: Sequence[Path],
    *,
    window: Window | None = None,
    watcher: Watcher = SILENT,
) -> list[Taken]:
    """Take over what a planned run lacks and other runs have.

    Parameters
    ----------
    run_dir : Path
    sources : sequence of Path
        Folders of other runs, asked one after the other; nothing in them is touched.
    window : Window, optional
        Nothing is begun after its end; what was taken until then stays.
    watcher : Watcher

    Raises
    ------
    IdentityError, InputError, UsageError
        If a source is not a run of this user.
    DamageError
        If the ledger of one cannot be trusted. Single damaged chunks are passed over.
    """
    require_sources(run_dir, sources)
    run = Run(run_dir)
    window = window or Window()
    if not any(0 in arm.committed for arm in run.progress.arms.values()):
        return []
    taken = []
    with opened_session(run.paths, window, watcher=watcher) as opened:
        for folder in sources:
            source = Run(folder)
            for plan in opened.manifest.arms:
                if plan.n_chunks and not all(opened.ledger.progress.arms[plan.name].committed):
                    taken.append(_take(opened, plan, source, watcher))
                    watcher.note(str(taken[-1]))
        opened.close(int(ExitCode.COMPLETE), "took over what other runs have")
    return taken


def _take(opened: OpenedSession, plan: ArmPlan, source: Run, watcher: Watcher) -> Taken:
    progress = opened.ledger.progress.arms[plan.name]

    def nothing(why: str) -> Taken:
        return Taken(plan.name, source.paths.root, 0, len(list(progress.missing())), why)

    if why := _differences(opened.manifest.shared, source.manifest.shared, _SHARED):
        return nothing(why)
    arms = [arm for arm in source.manifest.arms if arm.n_chunks]
    alike = [arm for arm in arms if not _arm_differences(plan, arm)]
    if not alike:
        namesake = next((arm for arm in arms if arm.name == plan.name), None)
        return nothing(_arm_differences(plan, namesake) if namesake else "it has no such arm")
    found = _SourceArm(source, next((a for a in alike if a.name == plan.name), alike[0]))
    index = ArmIndex.read(opened.paths, plan)
    if not np.array_equal(index.normalisation, found.index.normalisation):
        return nothing(
            f"its normalisation is {found.index.normalisation[0]:.9g}, here it is "
            f"{index.normalisation[0]:.9g}: another selection of groups has another brightness"
        )
    places = _places(index, found.index, _batch_items(plan))
    n_chunks = 0
    for chunks in _in_groups(_whole_chunks(plan, progress, places, found)):
        if opened.window.remaining_s <= 0:
            break
        n_chunks += _copy(opened, plan, chunks, places, found)
        watcher.note(f"{plan.name}: {counted(n_chunks, 'chunk')} taken over")
    left = len(list(progress.missing()))
    if not n_chunks and opened.window.remaining_s > 0:
        return nothing("no intact chunk has the same groups in the same rows of a batch")
    return Taken(plan.name, source.paths.root, n_chunks, left)


def _differences(wanted: Any, found: Any, facts: Sequence[str]) -> str:
    differing = [name for name in facts if wanted.get(name) != found.get(name)]
    return "; ".join(f"its {name} is {_short(found.get(name))}" for name in differing)


def _arm_differences(plan: ArmPlan, other: ArmPlan) -> str:
    facts = sorted({*plan.facts, *other.facts} - {_AMOUNT})
    if why := _differences(plan.facts, other.facts, facts):
        return why
    for entry in fields(ArmPlan):
        theirs = getattr(other, entry.name)
        if entry.compare and entry.name not in _OWN_AFFAIR and theirs != getattr(plan, entry.name):
            return f"its {entry.name} is {theirs}"
    ours, theirs = _batch_items(plan), _batch_items(other)
    if ours != theirs:
        return f"its batches have {counted(theirs, 'group')}, here {ours}"
    return ""


def _short(fact: Fact) -> str:
    text = "absent" if fact is None else str(fact)
    return f"{text[:12]}…" if len(text) == 64 else text


def _batch_items(plan: ArmPlan) -> int:
    """How many groups each call gets: no more than there are."""
    return min(ModelFacts.of(plan).batch_groups, plan.n_items)


def _places(wanted: ArmIndex, other: ArmIndex, batch_items: int) -> NDArray[np.int64]:
    """Find which group of *other* each group is; `_NOWHERE` where it has none like it."""
    rows, others = _keys(wanted, batch_items), _keys(other, batch_items)
    places = np.full(len(rows), _NOWHERE, np.int64)
    if rows.shape[1] != others.shape[1]:
        return places
    both = min(len(rows), len(others))
    same = np.flatnonzero((rows[:both] == others[:both]).all(axis=1))
    places[same] = same
    rest = np.flatnonzero(places == _NOWHERE)
    if len(rest):
        known = {row.tobytes(): place for place, row in enumerate(others)}
        places[rest] = [known.get(rows[item].tobytes(), _NOWHERE) for item in rest]
    return places


def _keys(index: ArmIndex, batch_items: int) -> NDArray[np.int64]:
    """What a patch depends on besides the network: members, where they lie, row of a batch."""
    n_groups = len(index.frames)
    positions = np.ascontiguousarray(index.positions_px[:], np.float64).view(np.int64)
    row = np.arange(n_groups, dtype=np.int64)[:, None] % batch_items
    return np.concatenate([index.frames[:], positions.reshape(n_groups, -1), row], axis=1)


def _whole_chunks(
    plan: ArmPlan, progress: ArmProgress, places: NDArray[np.int64], found: _SourceArm
) -> Iterator[int]:
    """Chunks that are missing here and whose every group is there, whole."""
    for chunk in list(progress.missing()):
        items = plan.chunk_range(chunk)
        there = places[items.start : items.stop]
        if (there != _NOWHERE).all():
            needed = np.unique(there // found.plan.chunk_items)
            if all(found.is_whole(int(each)) for each in needed):
                yield chunk


def _in_groups(chunks: Iterator[int]) -> Iterator[list[int]]:
    group: list[int] = []
    for chunk in chunks:
        group.append(chunk)
        if len(group) == _CHUNKS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _copy(
    opened: OpenedSession,
    plan: ArmPlan,
    chunks: list[int],
    places: NDArray[np.int64],
    found: _SourceArm,
) -> int:
    progress = opened.ledger.progress.arms[plan.name]
    writer = ChunkWriter(opened.paths, plan, compression_of(opened.manifest))
    try:
        ranges = {chunk: plan.chunk_range(chunk) for chunk in chunks}
        there = {chunk: places[items.start : items.stop] for chunk, items in ranges.items()}
        outputs = {chunk: found.patches(items) for chunk, items in there.items()}
        opened.plan.raise_if_failed()
        stored, refusal = writer.write(outputs)
        opened.plan.raise_if_failed()
    finally:
        writer.close()
    records: list[Committed | Reused] = [
        Committed(
            arm=plan.name,
            chunk=chunk,
            key=done.key,
            length=done.length,
            crc32c=done.crc32c,
            fingerprint=plan.fingerprint,
            attempt=1,
            seconds=round(_seconds(there[chunk], found), 6),
            write_s=0.0,
            warm=False,
            at_s=round(opened.window.elapsed_s, 3),
            generation=progress.next_generation(chunk),
            stats=gates.figures(outputs[chunk]).numbers(),
        )
        for chunk, done in stored.items()
    ]
    if records:
        source = found.source
        records.append(
            Reused(
                arm=plan.name,
                fingerprint=plan.fingerprint,
                chunks=len(records),
                manifest=source.manifest.digest,
                source=str(source.paths.root.resolve()),
            )
        )
        opened.session.append(records)
    if refusal is not None:
        raise refusal
    return len(stored)


def _seconds(items: NDArray[np.int64], found: _SourceArm) -> float:
    """What these groups took when they were predicted, so that figures of time stay true."""
    chunks, counts = np.unique(items // found.plan.chunk_items, return_counts=True)
    pairs = zip(chunks, counts, strict=True)
    return float(sum(found.item_s.get(int(chunk), 0.0) * int(n) for chunk, n in pairs))

"""Is what the ledger names on disk, whole? By size, by sample or by every byte.

Nothing is decoded: a chunk's last four bytes are the CRC-32C of those before, and the ledger names
it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ptyrun.engine.ledger import Ledger, SessionLedger
from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.records import Forgotten
from ptyrun.engine.store import chunk_key, patches_path
from ptyrun.paths import RunPaths


class Kind(StrEnum):
    """What is wrong with a thing."""

    MISSING = "missing"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    FOREIGN = "foreign"
    LEDGER = "ledger"
    MANIFEST = "manifest"
    INDEX = "index"
    METADATA = "metadata"
    STATE = "state"


@dataclass(frozen=True)
class Damage:
    """One thing that is not as it should be; ``arm`` and ``chunk`` where it is a chunk."""

    kind: Kind
    path: str
    detail: str
    arm: str | None = None
    chunk: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.path}: {self.detail}"


def _sizes(paths: RunPaths, arm: str) -> dict[str, int]:
    folder = paths.arrays / patches_path(arm)
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries}
    except FileNotFoundError:
        return {}


def size_damages(paths: RunPaths, arm: ArmProgress) -> Iterator[Damage]:
    """Compare the size of every committed chunk with the ledger's."""
    if not any(arm.committed):
        return
    sizes = _sizes(paths, arm.plan.name)
    key = chunk_key(arm.plan, 0)
    before, after = key.rsplit("/", 1)[1].split("0", 1)
    for chunk, committed in enumerate(arm.committed):
        if not committed:
            continue
        size = sizes.get(f"{before}{chunk}{after}")
        if size != arm.lengths[chunk] and (size is None or not arm.accepts_length(chunk, size)):
            yield _size_damage(arm, chunk, size)


def _size_damage(arm: ArmProgress, chunk: int, size: int | None) -> Damage:
    key = chunk_key(arm.plan, chunk)
    named = f"the ledger names {arm.lengths[chunk]} bytes"
    if size is None:
        return Damage(Kind.MISSING, key, named, arm.plan.name, chunk)
    return Damage(Kind.TRUNCATED, key, f"{named}, it has {size}", arm.plan.name, chunk)


def forget(session: SessionLedger, ledger: Ledger, damages: list[Damage]) -> int:
    """Take the chunks among *damages* back in the ledger, so that they are computed again."""
    records = []
    for damage in damages:
        if damage.arm is not None and damage.chunk is not None:
            arm = ledger.progress.arms[damage.arm]
            generation = arm.next_generation(damage.chunk)
            records.append(
                Forgotten(damage.arm, damage.chunk, generation, f"{damage.kind}: {damage.detail}")
            )
    if records:
        session.append(records)
    return len(records)

"""How much of a run is committed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ptyrun.engine.progress import Progress


@dataclass(frozen=True)
class Counts:
    """How much of a run is committed."""

    groups_total: int
    groups_committed: int
    chunks_total: int
    chunks_committed: int

    @classmethod
    def of(cls, progress: Progress) -> Self:
        """Count over all arms."""
        arms = progress.arms.values()
        return cls(
            groups_total=sum(arm.plan.n_items for arm in arms),
            groups_committed=sum(arm.items_committed for arm in arms),
            chunks_total=sum(arm.plan.n_chunks for arm in arms),
            chunks_committed=sum(arm.chunks_committed for arm in arms),
        )

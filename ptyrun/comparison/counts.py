"""How much of a run is committed?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ptyrun.engine.progress import ArmProgress
from ptyrun.texts import counted


@dataclass(frozen=True)
class Counts:
    """How much of a run, or of one of its arms, is committed."""

    groups_total: int
    groups_committed: int
    chunks_total: int
    chunks_committed: int

    @staticmethod
    def of(arms: Iterable[ArmProgress]) -> Counts:
        """Count over *arms*."""
        arms = [*arms]
        return Counts(
            groups_total=sum(arm.plan.n_items for arm in arms),
            groups_committed=sum(arm.items_committed for arm in arms),
            chunks_total=sum(arm.plan.n_chunks for arm in arms),
            chunks_committed=sum(arm.chunks_committed for arm in arms),
        )

    @property
    def is_partial(self) -> bool:
        """Whether chunks are missing."""
        return self.chunks_committed < self.chunks_total

    @property
    def said_of_chunks(self) -> str:
        """Of how many chunks how many are committed."""
        return f"{self.chunks_committed} of {counted(self.chunks_total, 'chunk')}"

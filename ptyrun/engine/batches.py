"""How large a batch does an arm bear? Learnt by trying, and kept for later sessions."""

from __future__ import annotations

from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.records import Halved
from ptyrun.engine.session_ledger import SessionLedger
from ptyrun.engine.window import Window
from ptyrun.texts import counted


class KnownBatchLimit:
    """What is known of one arm's batch. A work asks when it opens its model, and tells."""

    def __init__(self, arm: ArmProgress, session: SessionLedger, window: Window) -> None:
        self._arm = arm
        self._session = session
        self._window = window

    def cap(self, batch_items: int) -> int:
        """Cut *batch_items* down to what no session found too large."""
        return min(batch_items, self._arm.largest_working_batch or batch_items)

    def halved(self, before_items: int, after_items: int, why: str) -> None:
        """Write down that *before_items* did not do and *after_items* are tried instead."""
        plan = self._arm.plan
        at_s = round(self._window.elapsed_s, 3)
        record = Halved(plan.name, plan.fingerprint, before_items, after_items, why, at_s)
        self._session.append([record])


def describe(arm: ArmProgress) -> str | None:
    """Say for people that the batch at work is not the planned one; None if it is."""
    if not arm.halvings:
        return None
    largest = max(arm.halvings, key=lambda halving: halving.before_items)
    return (
        f"{counted(largest.before_items, 'group')} at once did not work ({largest.why}); "
        f"since then {arm.largest_working_batch} at once, which changes patches by rounding only"
    )

"""What of a comparison is as the run on disk has it, and what may change without a word?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ptyrun.config import ArmKind, CompareConfig, EvaluationOptions, Selection
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Change, Manifest
from ptyrun.engine.ownership import FORMER_TRUST
from ptyrun.engine.progress import Progress

CHUNK_SIZE = "chunk_items"
_DEFAULTS = {**Selection().facts(), **EvaluationOptions().facts()}


def as_planned(wanted: Manifest, config: CompareConfig, current: Manifest) -> Manifest:
    """Take from the run on disk what was left off: it is not asked to change.

    That are sizes, facts that only earlier versions wrote, and options at their defaults which the
    ptyrun that planned the run did not have.
    """
    planned = {arm.name: arm for arm in current.arms}
    given = {arm.name: arm for arm in config.arms}

    def taken(arm: ArmPlan) -> ArmPlan:
        before = planned.get(arm.name)
        if before is None:
            return arm
        former = {name: before.facts[name] for name in (FORMER_TRUST,) if name in before.facts}
        arm = replace(arm, facts={**arm.facts, **former})
        if arm.kind != ArmKind.PREDICTOR or before.kind != arm.kind:
            return arm
        if given[arm.name].chunk_groups is None:
            arm = replace(arm, chunk_items=before.chunk_items)
        if given[arm.name].batch_groups is None:
            arm = replace(arm, facts={**arm.facts, "batch_groups": before.facts["batch_groups"]})
        return arm

    shared = {
        fact: value
        for fact, value in wanted.shared.items()
        if fact in current.shared or fact not in _DEFAULTS or value != _DEFAULTS[fact]
    }
    return replace(wanted, shared=shared, arms=tuple(map(taken, wanted.arms)))


def resizable(changed: Collection[Change], progress: Progress) -> list[Change]:
    """Give the changes that cost nothing: other chunks of arms of which none was computed yet."""
    return [
        change
        for change in changed
        if change.fact == CHUNK_SIZE
        and change.arm is not None
        and change.arm in progress.arms
        and not progress.arms[change.arm].chunks_committed
    ]

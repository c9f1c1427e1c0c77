"""Which predictor's process is begun while its comparison is still being planned?"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from ptyrun.child import ahead
from ptyrun.child.fence import may_have_gpus
from ptyrun.child.inline import is_inline
from ptyrun.child.predictor import Hosted
from ptyrun.comparison.inputs import Found
from ptyrun.comparison.model_facts import ModelFacts, as_it_is
from ptyrun.comparison.run import Run
from ptyrun.comparison.surveys import ArmSurvey
from ptyrun.config import ArmKind, CompareConfig, SessionOptions
from ptyrun.errors import PtyrunError
from ptyrun.models.predictors import ModelRequest
from ptyrun.ptycho.readers.scan import Scan


@dataclass(frozen=True)
class _First:
    """The arm that a session will begin with, and its batch as far as it is known."""

    name: str
    n_items: int | None = None
    largest_batch: int | None = None


def beginner(
    config: CompareConfig, session: SessionOptions, *, new: bool, invalidate: Collection[str]
) -> Found:
    """Give what a plan tells of the networks that it finds: it begins the process of the first.

    It imports; it also loads the model where that takes hold of no device that others may hold.
    Nothing is begun where several processes work, or this one does by itself.
    """
    alone = not (session.dask or session.crew or session.workers != 1 or is_inline())
    first = _first(config, session, new=new, invalidate=invalidate) if alone else None

    def begin(arm: ArmSurvey, scan: Scan) -> None:
        if first is not None and arm.config.name == first.name:
            _begin(first, arm, scan, config, session)

    return begin


def _begin(
    first: _First, arm: ArmSurvey, scan: Scan, config: CompareConfig, session: SessionOptions
) -> None:
    facts, name = ModelFacts.of(arm), arm.config.name
    n_items = first.n_items or min(
        count for count in (config.selection.n_groups, scan.n_frames) if count
    )
    request = ModelRequest(
        path=arm.path.resolve(),
        patch_px=scan.patch_px,
        gridsize=facts.gridsize,
        batch_items=min(facts.batch_groups, n_items, first.largest_batch or n_items),
        options=facts.options,
        trusted=name in session.trusted_arms,
    )
    is_confined = name not in session.unconfined_arms
    hosted = Hosted(facts.backend, request, facts.weights_sha256, is_confined, arm.label)
    with suppress(OSError, PtyrunError):  # told, and told better, by who needs the process
        ahead.begin((name, is_confined, as_it_is(arm, request.path)), hosted)
        if not (session.lock_cpu or may_have_gpus() or "factory" in facts.options):
            hosted.load()


def _first(
    config: CompareConfig, session: SessionOptions, *, new: bool, invalidate: Collection[str]
) -> _First | None:
    """Tell which arm lacks chunks, as far as that can be told before the plan."""
    names = [arm.name for arm in config.arms if arm.kind is ArmKind.PREDICTOR]
    wanted = [name for name in names if session.arms is None or name in session.arms]
    run = Run(config.output_dir)
    if new or not run.paths.manifest.exists():
        return _First(wanted[0]) if wanted else None
    try:
        arms = run.progress.arms
    except (OSError, ValueError, PtyrunError):
        return None  # told by the plan
    for name in wanted:
        if name not in arms or name in invalidate:
            return _First(name)
        plan = arms[name].plan
        if arms[name].chunks_committed < plan.n_chunks:
            return _First(name, plan.n_items, arms[name].largest_working_batch)
    return None

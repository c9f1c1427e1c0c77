"""Which models of a run may run code of their own?

Only those that the user names, session by session: what a run's folder says of trust is believed
by nobody.
"""

from __future__ import annotations

from ptyrun.comparison.model_facts import ModelFacts
from ptyrun.comparison.run import Run
from ptyrun.comparison.sources import Sources
from ptyrun.config import SessionOptions
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.errors import ModelError, refuse_unknown
from ptyrun.models.files import locate, require_trust


def require(run: Run, session: SessionOptions) -> None:
    """See that every program which this session would run is trusted.

    Raises
    ------
    ModelError
        If one is not, and its arm lacks chunks; found before anything is computed.
    UsageError
        If the session trusts or frees an arm that is not there.
    """
    arms = {arm.name: arm for arm in run.manifest.arms}
    refuse_unknown(session.trusted_arms, arms, "--trust-model {1}: there is no such arm")
    refuse_unknown(session.unconfined_arms, arms, "--unconfined {1}: there is no such arm")
    chosen = [arm for arm in arms.values() if session.arms is None or arm.name in session.arms]
    refusals = [(arm, error) for arm in chosen if (error := _refusal(arm, run.sources, session))]
    if refusals:
        for arm, error in refusals:
            if run.progress.arms[arm.name].chunks_committed < arm.n_chunks:
                raise error


def _refusal(arm: ArmPlan, sources: Sources, session: SessionOptions) -> ModelError | None:
    if not arm.n_chunks or not ModelFacts.of(arm).is_built_in:
        return None
    try:
        model = locate(sources.arms[arm.name])
    except ModelError:  # it is not there: told where inputs are compared with the plan
        return None
    try:
        require_trust(model, arm.name in session.trusted_arms, arm.name)
    except ModelError as error:
        return error
    return None

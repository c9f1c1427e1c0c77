"""What of a network do its patches depend on, as a plan writes it among the facts of an arm?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from ptyrun.config import OWN_BACKENDS, Fact
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.ownership import FORMER_TRUST

OPTION = "option."
BESIDE = "weights_beside."  # and the name of a file that holds weights of the model


@dataclass(frozen=True)
class ModelFacts:
    """The facts of an arm that is a network; ``options`` go to the backend."""

    weights_sha256: str
    backend: str
    framework: str
    gridsize: int
    batch_groups: int
    limit_groups: int | None
    options: Mapping[str, str]

    @classmethod
    def of(cls, arm: ArmPlan) -> Self:
        """Read what :meth:`facts` wrote."""
        facts = arm.facts
        limit = facts.get("limit_groups")
        return cls(
            weights_sha256=str(facts.get("weights_sha256")),
            backend=str(facts["backend"]),
            framework=str(facts.get("framework")),
            gridsize=int(facts["gridsize"] or 1),
            batch_groups=int(facts.get("batch_groups") or 1),
            limit_groups=int(limit) if limit else None,
            options={
                name.removeprefix(OPTION): str(value)
                for name, value in facts.items()
                if name.startswith(OPTION) and name != FORMER_TRUST
            },
        )

    def facts(self) -> dict[str, Fact]:
        """As a manifest has them."""
        found = {name: value for name, value in vars(self).items() if name != "options"}
        return {**found, **{OPTION + name: value for name, value in self.options.items()}}

    @property
    def is_built_in(self) -> bool:
        """Whether a backend of ptyrun's own reads it."""
        return self.backend in OWN_BACKENDS

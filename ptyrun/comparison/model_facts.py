"""What of a network do its patches depend on, as a plan writes it among the facts of an arm?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ptyrun.comparison.fingerprints import identity
from ptyrun.comparison.surveys import ArmSurvey
from ptyrun.config import OWN_BACKENDS, Fact
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.ownership import FORMER_TRUST
from ptyrun.host.checksums import files_below

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
    def of(cls, arm: ArmPlan | ArmSurvey) -> Self:
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


def as_it_is(arm: ArmPlan | ArmSurvey, path: Path) -> tuple[object, ...]:
    """Name the network of an arm, whose model lies at *path*, with its files as they are now.

    Raises
    ------
    OSError, StorageError
        If a file is gone.
    """
    beside = [name.removeprefix(BESIDE) for name in arm.facts if name.startswith(BESIDE)]
    files = {file for each in (path, *map(path.with_name, beside)) for file in files_below(each)}
    facts = tuple(sorted((name, str(value)) for name, value in arm.facts.items()))
    return (facts, tuple((str(file), *identity(file)) for file in sorted(files)))

"""Where do a run's inputs lie, as its manifest says?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ptyrun.config import Fact, Presentation
from ptyrun.engine.manifest import Manifest

_ARM = "arm."
GROUND_TRUTH_SHA256 = "ground_truth_sha256"


@dataclass(frozen=True)
class Sources:
    """Files of a comparison, and what is shown of it: no part of its identity.

    ``arms`` has the model or reconstruction of each arm; ``ground_truth`` what ``--ground-truth``
    named, None where it was not given.
    """

    scan: Path
    groups_from: Path | None
    arms: Mapping[str, Path]
    presentation: Presentation
    ground_truth: Path | None = None

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Read what :meth:`facts` wrote.

        Raises
        ------
        SchemaError
            If the manifest does not say it.
        """
        facts = manifest.sources
        groups_from, truth = facts.get("groups_from"), facts.get("ground_truth")
        return cls(
            scan=Path(str(facts["scan"])),
            groups_from=None if groups_from is None else Path(str(groups_from)),
            arms={arm.name: Path(str(facts[_ARM + arm.name])) for arm in manifest.arms},
            presentation=Presentation.from_facts(facts),
            ground_truth=None if truth is None else Path(str(truth)),
        )

    def facts(self) -> dict[str, Fact]:
        """As the manifest has them."""
        return {
            "scan": str(self.scan),
            "groups_from": None if self.groups_from is None else str(self.groups_from),
            **{_ARM + name: str(path) for name, path in self.arms.items()},
            **self.presentation.facts(),
            **({} if self.ground_truth is None else {"ground_truth": str(self.ground_truth)}),
        }

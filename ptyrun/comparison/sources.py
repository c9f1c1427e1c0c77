"""Where do a run's inputs lie, as its manifest says?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ptyrun.config import Fact, Presentation
from ptyrun.config.options import entries
from ptyrun.engine.manifest import Manifest

_ARM = "arm."
GROUND_TRUTH_SHA256 = "ground_truth_sha256"
DARK = "frames_without_signal"


def scan_file(number: int) -> str:
    """What a further file of the scan is called among the sources."""
    return f"scan_file.{number}"


def presentation_changes(before: Manifest, now: Manifest) -> str:
    """Name each option of what results show that *now* has otherwise than *before*; or nothing."""
    usual = Presentation().facts()
    was, now_is = ({**usual, **each.sources} for each in (before, now))
    said = [
        f"{entry.word} is {entry.said(now_is[entry.field])}, was {entry.said(was[entry.field])}"
        for entry in entries(Presentation)
        if now_is[entry.field] != was[entry.field]
    ]
    return "; ".join(said)


@dataclass(frozen=True)
class Sources:
    """Files of a comparison, and what is shown of it: no part of its identity.

    ``arms`` has the model or reconstruction of each arm; ``ground_truth`` what ``--ground-truth``
    named, None where it was not given; ``follow_links`` where links of the scan may lead;
    ``scan_files`` what it is read from beside its own file; ``dark`` says which of its frames have
    no signal.
    """

    scan: Path
    groups_from: Path | None
    arms: Mapping[str, Path]
    presentation: Presentation
    ground_truth: Path | None = None
    follow_links: Path | None = None
    scan_files: tuple[Path, ...] = ()
    dark: str = ""

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
        links = facts.get("follow_links")
        return cls(
            scan=Path(str(facts["scan"])),
            groups_from=None if groups_from is None else Path(str(groups_from)),
            arms={arm.name: Path(str(facts[_ARM + arm.name])) for arm in manifest.arms},
            presentation=Presentation.from_facts(facts),
            ground_truth=None if truth is None else Path(str(truth)),
            follow_links=None if links is None else Path(str(links)),
            scan_files=tuple(
                Path(str(facts[name]))
                for name in map(scan_file, range(len(facts)))
                if name in facts
            ),
            dark=str(facts.get(DARK, "")),
        )

    def facts(self) -> dict[str, Fact]:
        """As the manifest has them."""
        return {
            "scan": str(self.scan),
            "groups_from": None if self.groups_from is None else str(self.groups_from),
            **{_ARM + name: str(path) for name, path in self.arms.items()},
            **self.presentation.facts(),
            **({} if self.ground_truth is None else {"ground_truth": str(self.ground_truth)}),
            **({} if self.follow_links is None else {"follow_links": str(self.follow_links)}),
            **{scan_file(number): str(path) for number, path in enumerate(self.scan_files)},
            **({DARK: self.dark} if self.dark else {}),
        }

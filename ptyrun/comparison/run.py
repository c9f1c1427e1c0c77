"""What does one run's folder hold? Read when it is first asked for, and then once.

A handle is as old as the session that made it: who wants to know what became of a run since, asks a
new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ptyrun.comparison import scans
from ptyrun.comparison.sources import Sources
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.progress import Progress
from ptyrun.paths import RunPaths

if TYPE_CHECKING:
    from ptyrun.ptycho.readers.scan import Scan


@dataclass(frozen=True)
class Run:
    """A handle on the folder of one comparison, planned or not.

    Parameters
    ----------
    folder : Path
    """

    folder: Path

    @classmethod
    def of(cls, folder: Path, manifest: Manifest, ledger: Ledger | None = None) -> Self:
        """Give the run of a session that knows its plan, and perhaps has read its ledger."""
        run = cls(folder)
        vars(run)["manifest"] = manifest
        if ledger is not None:
            vars(run)["ledger"] = ledger
        return run

    @cached_property
    def paths(self) -> RunPaths:
        """Where each of its files lies."""
        return RunPaths(self.folder)

    @cached_property
    def manifest(self) -> Manifest:
        """What it computes.

        Raises
        ------
        InputError
            If nothing is planned in the folder.
        SchemaError, DamageError
            If the manifest cannot be used.
        """
        return Manifest.of(self.paths)

    @cached_property
    def sources(self) -> Sources:
        """Where its inputs lay when it was planned; raises as `manifest` does."""
        return Sources.of(self.manifest)

    @cached_property
    def ledger(self) -> Ledger:
        """What happened to it.

        Raises
        ------
        IdentityError, DamageError, SchemaError
            If the ledger cannot be trusted, besides what `manifest` raises.
        """
        return open_ledger(self.paths, self.manifest)

    @property
    def progress(self) -> Progress:
        """The ledger, added up."""
        return self.ledger.progress

    @cached_property
    def scan(self) -> Scan:
        """The scan that it was planned for; compressed frames are unpacked into its cache.

        Raises
        ------
        InputError
            If the scan cannot be read.
        """
        return self.open_scan(self.paths.cache)

    def open_scan(self, cache_dir: Path | None) -> Scan:
        """Open the planned scan; without *cache_dir* compressed frames are held in memory."""
        # NumPy: `status` does without.
        from ptyrun.comparison.ground_truth import as_said
        from ptyrun.config import PositionOrigin

        kind = self.manifest.shared.get("diffraction_kind")
        sources = self.sources
        found = scans.opened(
            sources.scan, str(kind) if kind else None, cache_dir, sources.follow_links
        )
        said = self.manifest.shared.get("position_origin", PositionOrigin.CORNER)
        origin = PositionOrigin(str(said))
        return as_said(found, sources.ground_truth, origin)

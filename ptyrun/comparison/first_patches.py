"""Are an arm's first patches doubted? Asked once, as soon as they are predicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptyrun import __version__
from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.kept import Kept
from ptyrun.comparison.steps import Texts
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest
from ptyrun.host.documents import digest_of
from ptyrun.ptycho.consistency.patch_fit import patch_doubt
from ptyrun.ptycho.readers.opening import Scan


@dataclass(frozen=True)
class FirstPatches:
    """The first patches of an arm, held against their frames.

    Equal plans predict equal patches, so that whoever assembles the arm need not ask again.
    """

    kept: Kept
    manifest: Manifest
    plan: ArmPlan
    scan: Scan
    index: ArmIndex

    def doubt_of(self, items: range, patches: NDArray[np.complex64]) -> str | None:
        """Say in which other orientation they explain their frames better, and keep that."""
        part = slice(items.start, items.stop)
        frames, positions_px = self.index.frames[part], self.index.positions_px[part]
        doubt = patch_doubt(self.scan, patches, positions_px, frames)
        self.kept.save(self._step, self._key, Texts((doubt,) if doubt else ()).finding())
        return doubt

    def doubt(self, read: Callable[[], tuple[range, NDArray[np.complex64]] | None]) -> str | None:
        """Say what was found when they were predicted; where that is not known, *read* them."""
        found = self.kept.restored(self._step, self._key, Texts.of)
        if found is not None:
            return next(iter(found.texts), None)
        first = read()
        return None if first is None else self.doubt_of(*first)

    @property
    def _step(self) -> str:
        return f"doubt-{self.plan.name}"

    @property
    def _key(self) -> str:
        return digest_of([__version__, self.plan.document, dict(self.manifest.shared)])

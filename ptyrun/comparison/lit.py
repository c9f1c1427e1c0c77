"""Which object is held against the frames, and which probe lights it?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.undone import Undone
from ptyrun.ptycho.readers.scan import Scan

Modes = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True)
class Lit:
    """An object (H, W), where it is covered, the probe's modes (M, N, N), and whose probe it is.

    ``undone`` is what is undone of the object; the scan is then seen from where it lies.
    """

    image: NDArray[np.complex64]
    covered: NDArray[np.bool_]
    modes: Modes | None
    whose: str
    undone: Undone | None = None

    def with_undone(self, undone: Undone | None) -> Lit:
        """Undo shift and ramp; nothing where it is None."""
        if undone is None:
            return self
        return replace(self, image=undone.without_ramp(self.image), undone=undone)

    def seen(self, scan: Scan) -> Scan:
        """The scan, with its positions on the object's own grid."""
        return scan if self.undone is None else self.undone.seen_from(scan)

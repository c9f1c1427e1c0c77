"""How does a package of its own bring an iterative algorithm to ptyrun?

It names a class, which does what `Reconstructor` says, as an entry point of the group
``ptyrun.reconstructors``. What such a class may use is here; it stays where it is.
"""

from __future__ import annotations

from ptyrun.ptycho.reconstruction.frames import Frames
from ptyrun.ptycho.reconstruction.reconstructor import (
    Found,
    ReconstructionError,
    ReconstructionRequest,
    Reconstructor,
    State,
    load,
)

__all__ = [
    "Found",
    "Frames",
    "ReconstructionError",
    "ReconstructionRequest",
    "Reconstructor",
    "State",
    "load",
]

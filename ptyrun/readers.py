"""How does a package of its own bring a reader of scans and reconstructions to ptyrun?

It names a class, which does what `Reader` says, as an entry point of the group ``ptyrun.readers``.
What such a class may use is here; it stays where it is.
"""

from __future__ import annotations

from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.reader import ForeignFile, Held, Reader, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import FrameSource, Scan

__all__ = [
    "ForeignFile",
    "Format",
    "FrameSource",
    "Held",
    "Reader",
    "ReaderCard",
    "Reconstruction",
    "Scan",
    "ScanRequest",
]

"""Which finished reconstruction does a file hold, and who made it?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.complex_images import lacks_phase
from ptyrun.ptycho.readers.finished import Reconstruction, label_of
from ptyrun.ptycho.readers.formats import whatever_is_in
from ptyrun.ptycho.readers.reader import ForeignFile, Held
from ptyrun.ptycho.readers.registry import reader_of, said_by

__all__ = ["Reconstruction", "label_of", "open_reconstruction"]


def open_reconstruction(path: Path) -> Reconstruction:
    """Read a reconstruction, told by what is in the file.

    Raises
    ------
    InputError
        If the file is missing, unreadable or holds no reconstruction, or one of a single value.
    """
    file = ForeignFile(path, "reconstruction")
    with whatever_is_in(path, file.wanted):
        reader = reader_of(file, Held.RECONSTRUCTION)
        found = reader.reconstruction(file)
        notes = said_by(reader, found.notes)
        found = replace(found, reader=reader.card.name, notes=notes)
    value = found.object.flat[0] if found.object.size else 0
    # Nothing can be said against a flat phase: it would be shown as the best of all.
    if np.all(found.object == value):
        raise InputError(
            f"the reconstruction {path} contains no usable values",
            why=f"every value is {value:g}" if value else "every value is 0",
            do="give another one, or leave it out",
        )
    if lacks_phase(found.object):
        raise InputError(
            f"the reconstruction {path} has no phase",
            why="its values are complex, and the imaginary part is 0 everywhere: amplitudes alone",
            do="give a file that holds the complex object, amplitude times exp(i phase)",
        )
    return found

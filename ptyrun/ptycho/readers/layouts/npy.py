"""Is a bare ``.npy`` file an object?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.host import memory
from ptyrun.ptycho.readers.complex_images import checked_complex
from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ReconstructionReader
from ptyrun.ptycho.readers.stacks import require_complex_stack
from ptyrun.texts import printable

ALWAYS_BYTES = 16 << 20
LABEL_CHARACTERS = 40


class Npy(ReconstructionReader):
    """One array as ``numpy.save`` writes it.

    Source: NumPy enhancement proposal 1, "A simple file format for NumPy arrays".
    """

    card = ReaderCard(
        name="npy",
        layout="bare array (.npy)",
        reads="reconstruction: one complex image",
        units="none",
        written_by="numpy.save, ptychodus",
        limits="two axes, or further ones of length 1",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It is an array; whether it is an object is seen when it is read."""
        return Held.RECONSTRUCTION if file.format is Format.NPY else Held.NOTHING

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the image."""
        return Reconstruction(
            path=file.path,
            object=_image(file),
            label=printable(file.path.stem)[:LABEL_CHARACTERS],
            notes=("a bare array: nothing says what made it",),
        )


def _image(file: ForeignFile) -> NDArray[np.complex64]:
    try:
        stored = np.load(file.path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{file.path} cannot be read as an array",
            why=str(error),
            do="write it with numpy.save, as numbers",
        ) from error
    require_complex_stack(file.path, "the array", stored)
    if stored.size != stored.shape[-1] * stored.shape[-2]:
        raise InputError(
            f"{file.path} is not a single image",
            why=f"it has shape {stored.shape}; which axes are modes, slices or patches is not said",
            do="save the one image (H, W) that is the object",
        )
    if stored.nbytes > ALWAYS_BYTES and 3 * stored.nbytes > (left := memory.available_bytes()):
        raise InputError(
            f"{file.path} does not fit into memory",
            why=f"it takes up to {3 * stored.nbytes} bytes; {left} are left",
            do="use a machine with more memory",
        )
    return checked_complex(file.path, "the array", np.asarray(stored).reshape(stored.shape[-2:]))

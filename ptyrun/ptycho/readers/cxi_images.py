"""Which object does a CXI file hold, and is it one of real space?"""

from __future__ import annotations

import h5py
import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.cxi import entries, found_in
from ptyrun.ptycho.readers.hdf5 import Hdf5File
from ptyrun.ptycho.readers.scan import one_size
from ptyrun.ptycho.readers.stacks import first_of
from ptyrun.ptycho.readers.units import Quantity, in_si
from ptyrun.texts import printable

_OBJECTS = ("image_1/data", "object/data")
_REAL_SPACE = ("", "real", "object", "sample")


def read_cxi_object(file: Hdf5File) -> tuple[NDArray[np.complex64], tuple[str, ...]]:
    """Read the reconstructed object (H, W) that `object_of` finds, and what to say of it.

    Raises
    ------
    InputError
        If it is not complex (the phase is missing), or lies in diffraction space, or has its halves
        exchanged.
    """
    found = object_of(file)
    assert found is not None  # the reader asked before
    if found.dtype.kind != "c":
        raise InputError(
            f"{found.name} of {file.path} is not a reconstruction",
            why=f"it is {found.dtype}, not complex: the phase is missing",
            do="give a file that holds the complex object",
        )
    _require_real_space(file, found)
    return first_of(file.path, found.name, file.read(found, ()), ("images",))


def _require_real_space(file: Hdf5File, image: h5py.Dataset) -> None:
    """See that the object lies there as it is, by what stands beside it.

    Source: cxidb.org, CXI file format, section on images (``data_space``, ``is_fft_shifted``).
    """
    home = image.parent.name
    space = (file.text(f"{home}/data_space") or "").strip().lower()
    if space not in _REAL_SPACE:
        raise InputError(
            f"{image.name} of {file.path} is not an object",
            why=f"its data_space is {printable(space)!r:.40}, and an object's is real",
            do="give the object, which its inverse Fourier transform is",
        )
    if file.number(f"{home}/is_fft_shifted") or file.flag(f"{home}/is_fft_shifted"):
        raise InputError(
            f"{image.name} of {file.path} has its halves swapped",
            why="is_fft_shifted says so",
            do="undo it (numpy.fft.fftshift), and write 0 to is_fft_shifted",
        )


def image_pixel_m(file: Hdf5File) -> float | None:
    """Side of a square pixel of the image in metres, by the ``image_size`` (x, y, z) beside it."""
    image = object_of(file)
    size = None if image is None else file.dataset(f"{image.parent.name}/image_size")
    if image is None or size is None or size.dtype.kind not in "fiu" or size.size not in (2, 3):
        return None
    x_m, y_m = in_si(file.path, size, file.read(size, ()), Quantity.LENGTH).reshape(-1)[:2]
    if not (0 < x_m < np.inf and 0 < y_m < np.inf):
        return None
    return one_size((float(y_m) / image.shape[-2], float(x_m) / image.shape[-1]))


def object_of(file: Hdf5File) -> h5py.Dataset | None:
    """Find the image of a file: of several entries, the last one's that has a complex one."""
    images = [found_in(file, entry, _OBJECTS) for entry in entries(file)]
    there = [image for image in images if image is not None]
    return next((image for image in there if image.dtype.kind == "c"), next(iter(there), None))

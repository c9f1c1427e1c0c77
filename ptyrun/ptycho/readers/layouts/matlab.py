"""Does a MATLAB file hold a reconstruction of PtychoShelves or fold_slice?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.matlab5 import Matlab5File
from ptyrun.ptycho.readers.probe_modes import split_modes
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ReconstructionReader
from ptyrun.ptycho.readers.scan import one_size
from ptyrun.ptycho.readers.stacks import as_complex, only_layers

OBJECT, PROBE, SETTINGS, PIXELS = "object", "probe", "p", "dx_spec"
MATLAB_CLASS = "MATLAB_class"
_MODES_AXES = 4  # (N, N, modes, variations)


@dataclass(frozen=True)
class _Variables:
    """What is read of either version: arrays with MATLAB's axes, and the pixel (x, y) in metres."""

    array: Callable[[str], NDArray[Any]]
    has_probe: bool
    pixels_m: NDArray[Any] | None


class Matlab(ReconstructionReader):
    """``object`` and ``probe`` as MATLAB saves them, version 5 to 7.3.

    A file of version 7.3 is HDF5 behind 512 bytes of text, its axes in reverse and complex numbers
    as records of ``real`` and ``imag``. Source: MathWorks, "MAT-File Versions"; the result of
    PtychoShelves (doi:10.1107/S1600576720001776) and fold_slice, whose structure ``p`` has
    ``dx_spec``, the object's pixel in metres.
    """

    card = ReaderCard(
        name="matlab",
        layout="MATLAB result (.mat)",
        reads="reconstruction: object, probe, p.dx_spec",
        units="metres",
        written_by="PtychoShelves, fold_slice",
        limits="no cell arrays; slices become their product; of varying probes the first",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has a variable ``object``."""
        if file.format is Format.MATLAB5:
            found = OBJECT in Matlab5File(file.path)
        else:
            found = file.format is Format.HDF5 and _is_matlab(file)
        return Held.RECONSTRUCTION if found else Held.NOTHING

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the object, turned as MATLAB shows it: (row, column)."""
        held = _version5(file) if file.format is Format.MATLAB5 else _version73(file)
        stored = held.array(OBJECT)
        image, said = only_layers(file.path, OBJECT, np.moveaxis(stored, (0, 1), (-2, -1)))
        probe, weaker = None, None
        if held.has_probe:
            modes = held.array(PROBE)
            if modes.ndim == _MODES_AXES:
                modes = modes[..., 0]
            probe, weaker = split_modes(file.path, PROBE, np.moveaxis(modes, (0, 1), (-2, -1)))
        return Reconstruction(
            path=file.path,
            object=image,
            label="PtychoShelves",
            probe=probe,
            weaker_modes=weaker,
            pixel_size_m=_pixel_m(held.pixels_m),
            notes=("the object of a MATLAB file", *said),
        )


def _is_matlab(file: ForeignFile) -> bool:
    found = file.hdf5.dataset(OBJECT)
    return found is not None and MATLAB_CLASS in found.attrs


def _version5(file: ForeignFile) -> _Variables:
    held = Matlab5File(file.path)
    return _Variables(held.array, PROBE in held, held.numbers_of(SETTINGS, PIXELS))


def _version73(file: ForeignFile) -> _Variables:
    hdf5 = file.hdf5

    def array(name: str) -> NDArray[Any]:
        found = hdf5.required(name)
        if found.dtype.kind not in "fiuV":
            raise InputError(
                f"{name} of {file.path} holds no numbers",
                why=f"it is {found.dtype} of shape {found.shape}, as cell arrays are stored",
                do="save it as an array of numbers (in MATLAB: cell2mat)",
            )
        return as_complex(hdf5.read_records(found)).T

    pixels = hdf5.dataset(f"{SETTINGS}/{PIXELS}")
    is_plain = pixels is not None and pixels.dtype.kind == "f" and 0 < math.prod(pixels.shape) <= 4
    pixels_m = hdf5.read(pixels, ()).reshape(-1) if pixels is not None and is_plain else None
    return _Variables(array, hdf5.dataset(PROBE) is not None, pixels_m)


def _pixel_m(found: NDArray[Any] | None) -> float | None:
    if found is None or found.size not in (1, 2) or not np.all((found > 0) & np.isfinite(found)):
        return None
    return one_size((float(found[-1]), float(found[0])))

"""How is a scan or an object read from ptychodus and pty-chi HDF5 files?

A product has object, probe and positions. Frames lie in a file of their own: ``diffraction.h5`` or
``diffraction.npz`` (``patterns``, ``indexes``, ``bad_pixels``) beside it, or ``*_dp.hdf5`` (``dp``)
beside ``*_para.hdf5``; either can also be in the product itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.complex_images import checked_complex, require_complex
from ptyrun.ptycho.readers.diffraction_files import Diffraction, diffraction_of
from ptyrun.ptycho.readers.frame_kind import kind_of
from ptyrun.ptycho.readers.hdf5 import DAMAGE, Hdf5File
from ptyrun.ptycho.readers.matching import (
    Numbered,
    Pairs,
    matched,
)
from ptyrun.ptycho.readers.positions import checked_positions
from ptyrun.ptycho.readers.probe_modes import (
    first_variation,
    modes_note,
    split_modes,
    stacked_modes,
    variations_note,
)
from ptyrun.ptycho.readers.reader import ForeignFile
from ptyrun.ptycho.readers.scan import Scan, one_size
from ptyrun.ptycho.readers.units import Quantity, in_si

X, Y, INDEXES = "probe_position_x_m", "probe_position_y_m", "probe_position_indexes"


def is_product(file: Hdf5File) -> bool:
    """Whether the file is a product: an object, or positions."""
    return file.dataset("object", X) is not None


def read_product_scan(product: ForeignFile, intensity: bool = True) -> Scan:
    """Open the scan of a product, with its object as the ground truth or what stands in for it.

    Positions are metres from the object's centre, which is the middle of its array.

    Raises
    ------
    InputError
        If there are no frames with it, or they do not fit.
    """
    file, held = product.hdf5, diffraction_of(product)
    x_m, y_m = (_metres(file, name) for name in (X, Y))
    pairs = _pairs(file, held, len(x_m))
    pixel_m, centre_m = _geometry(file.required("object"), file.path)
    guess = read_product_object(file)
    middle = np.array(guess.shape) / 2
    x = (x_m[pairs.positions] - centre_m[1]) / pixel_m[1] + middle[1]
    y = (y_m[pairs.positions] - centre_m[0]) / pixel_m[0] + middle[0]
    probe, weaker_modes = read_product_probe(file, held.side)
    modes = stacked_modes(probe, weaker_modes)
    return Scan(
        path=file.path,
        positions_px=checked_positions(file.path, x, y, len(pairs.frames)),
        patch_px=held.side,
        source=held.chosen(pairs.frames),
        intensity=intensity,
        probe=probe,
        object_guess=guess,
        notes=(
            f"ptychodus product with frames of {held.path.name}:{held.name}, taken as "
            f"{kind_of(intensity)}",
            f"object pixel {pixel_m[0]:.4g} x {pixel_m[1]:.4g} m",
            *pairs.notes,
            *modes_note(modes),
            *variations_note(stored.size if (stored := file.dataset("probe")) else 0, modes),
        ),
        weaker_modes=weaker_modes,
        pixel_size_m=one_size(pixel_m),
        doubts=(*pairs.doubts, *held.doubts),
        energy_ev=_positive(file, "probe_energy_eV"),
        distance_m=_positive(file, "detector_object_distance_m"),
        bad_pixels=held.bad,
        beside=tuple(sorted({*file.linked, *held.linked, held.path} - {file.path})),
    )


def read_product_object(file: Hdf5File) -> NDArray[np.complex64]:
    """Read the object (H, W); of several layers, their product.

    Raises
    ------
    InputError
        If there is none, or its phase is missing.
    """
    found = file.array("object")
    if found.ndim == 3 and found.dtype.kind == "c":
        found = np.prod(found, axis=0)
    require_complex(file.path, "object", found)
    return checked_complex(file.path, "object", found)


_Modes = NDArray[np.complex64] | None


def read_product_probe(file: Hdf5File, patch_px: int | None) -> tuple[_Modes, _Modes]:
    """Read the probe's first mode (N, N) and the others (M - 1, N, N); None without that size."""
    found = file.dataset("probe")
    if found is None or found.ndim < 2 or found.dtype.kind != "c":
        return None, None
    if patch_px is not None and found.shape.count(patch_px) < 2:
        return None, None
    values = file.read(found, ())
    return split_modes(file.path, "probe", first_variation(values), patch_px=patch_px)


def _real(path: Path, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Give finite real numbers of shape (n,)."""
    if values.ndim == 1 and values.dtype.kind in "fiu" and np.isfinite(values).all():
        return values
    raise InputError(
        f"{name} of {path} cannot be used",
        why=f"it is {values.dtype} of shape {values.shape}, not finite numbers of shape (n,)",
        do="store one real number per frame",
    )


def _metres(file: Hdf5File, name: str) -> NDArray[np.float64]:
    dataset = file.required(name)
    values = _real(file.path, dataset.name, file.read(dataset, ()))
    return in_si(file.path, dataset, values, Quantity.LENGTH)


def _pairs(file: Hdf5File, held: Diffraction, n_positions: int) -> Pairs:
    counted = file.dataset(INDEXES)
    read = counted and (lambda: file.read(counted, ()))
    return matched(Numbered.of(file.path, n_positions, read), held.numbered)


def _geometry(found: h5py.Dataset, path: Path) -> tuple[tuple[float, float], tuple[float, float]]:
    """Pixel and centre of the object, (y, x) in metres."""
    sides = (_attribute(found, f"pixel_{side}_m") for side in ("height", "width"))
    height_m, width_m = (side if side and 0 < side < np.inf else None for side in sides)
    if height_m is None or width_m is None:
        raise InputError(
            f"the object of {path} has no pixel size",
            why="its attributes pixel_height_m and pixel_width_m are missing or not positive",
            do="write them; positions are in metres",
        )
    centre = tuple(_attribute(found, f"center_{axis}_m") or 0.0 for axis in "yx")
    return (height_m, width_m), (centre[0], centre[1])


def product_pixel_m(file: Hdf5File) -> float | None:
    """Side of a square pixel of the object in metres, where the file says it."""
    found = file.required("object")
    height_m, width_m = (_attribute(found, f"pixel_{side}_m") for side in ("height", "width"))
    if not height_m or not width_m or not (0 < height_m < np.inf and 0 < width_m < np.inf):
        return None
    return one_size((height_m, width_m))


def _attribute(found: h5py.Dataset | h5py.Group, name: str) -> float | None:
    try:
        value = np.asarray(found.attrs.get(name))
    except DAMAGE as error:
        raise InputError(
            f"the attribute {name} of {found.name} cannot be read",
            why=str(error) or type(error).__name__,
            do="copy the file again from its source",
        ) from error
    is_number = value.size == 1 and value.dtype.kind in "fiu"
    return float(value.reshape(-1)[0]) if is_number else None


def _positive(file: Hdf5File, name: str) -> float | None:
    """Read an attribute of the whole file, where it is a positive number."""
    value = _attribute(file.root, name)
    return value if value is not None and 0 < value < np.inf else None

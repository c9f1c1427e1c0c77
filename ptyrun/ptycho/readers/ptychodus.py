"""How is a scan or an object read from ptychodus and pty-chi HDF5 files?

A product has object, probe and positions. Frames lie in a file of their own: ``diffraction.h5``
(``patterns``, ``indexes``, ``bad_pixels``) beside it, or ``*_dp.hdf5`` (``dp``) beside
``*_para.hdf5``; either can also be in the product itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.hdf5 import DAMAGE, Hdf5File, Hdf5Frames, checked_stack
from ptyrun.ptycho.readers.scan import (
    Scan,
    checked_complex,
    checked_positions,
    one_size,
    split_modes,
)

X, Y, INDEXES = "probe_position_x_m", "probe_position_y_m", "probe_position_indexes"
FRAMES = ("patterns", "diffraction", "dp")


def is_product(file: Hdf5File) -> bool:
    """Whether the file is a product: an object, or positions."""
    return file.dataset("object", X) is not None


def read_product_scan(file: Hdf5File, intensity: bool = True) -> Scan:
    """Open the scan of a product, with its object as the ground truth or what stands in for it.

    Positions are metres from the object's centre, which is the middle of its array.

    Raises
    ------
    InputError
        If there are no frames with it, or they do not fit.
    """
    held = _frames_file(file)
    frames = held.required(*FRAMES)
    patch_px = checked_stack(held.path, frames)
    x_m, y_m = (_real(file, file.required(name)) for name in (X, Y))
    order = _order(file, held, frames, len(x_m))
    pixel_m, centre_m = _geometry(file.required("object"), file.path)
    guess = read_product_object(file)
    middle = np.array(guess.shape) / 2
    x = (x_m - centre_m[1]) / pixel_m[1] + middle[1]
    y = (y_m - centre_m[0]) / pixel_m[0] + middle[0]
    bad = held.dataset("bad_pixels")
    probe, weaker_modes = read_product_probe(file, patch_px)
    return Scan(
        path=file.path,
        positions_px=checked_positions(file.path, x, y, len(order)),
        patch_px=patch_px,
        source=Hdf5Frames(held, frames, order, None if bad is None else _mask(held, bad, patch_px)),
        intensity=intensity,
        probe=probe,
        object_guess=guess,
        notes=(
            f"ptychodus product with frames of {held.path.name}:{frames.name}, taken as "
            f"{'intensity' if intensity else 'amplitude'}",
            f"object pixel {pixel_m[0]:.4g} x {pixel_m[1]:.4g} m",
        ),
        weaker_modes=weaker_modes,
        pixel_size_m=one_size(pixel_m),
    )


def read_product_object(file: Hdf5File) -> NDArray[np.complex64]:
    """Read the object (H, W); of several layers, their product.

    Raises
    ------
    InputError
        If there is none.
    """
    found = file.array("object")
    if found.ndim == 3 and found.dtype.kind == "c":
        found = np.prod(found, axis=0)
    return checked_complex(file.path, "object", found)


_Modes = NDArray[np.complex64] | None


def read_product_probe(file: Hdf5File, patch_px: int | None) -> tuple[_Modes, _Modes]:
    """Read the probe's first mode (N, N) and the others (M - 1, N, N); None without that size."""
    found = file.dataset("probe")
    if found is None or found.ndim < 2 or found.dtype.kind != "c":
        return None, None
    if patch_px is not None and found.shape[-2:] != (patch_px, patch_px):
        return None, None
    values = file.read(found, ())
    if found.ndim > 3:
        values = values[(0,) * (found.ndim - 3)]  # those of the first position
    return split_modes(file.path, "probe", values)


def _frames_file(file: Hdf5File) -> Hdf5File:
    if file.dataset(*FRAMES) is not None:
        return file
    beside = [file.path.with_name("diffraction.h5")]
    if file.path.stem.endswith("para"):
        beside.insert(0, file.path.with_name(file.path.name.replace("para.", "dp.")))
    for path in beside:
        if path.is_file():
            return Hdf5File(path)
    raise InputError(
        f"{file.path} holds no diffraction",
        why="a product has object, probe and positions; no frames lie beside it either: "
        + ", ".join(path.name for path in beside),
        do="put diffraction.h5 (patterns, indexes) beside it",
    )


def _real(file: Hdf5File, dataset: h5py.Dataset) -> NDArray[Any]:
    """Read finite real numbers of shape (n,)."""
    if dataset.ndim == 1 and dataset.dtype.kind in "fiu":
        values = file.read(dataset, ())
        if np.isfinite(values).all():
            return values
    raise InputError(
        f"{dataset.name} of {file.path} cannot be used",
        why=f"it is {dataset.dtype} of shape {dataset.shape}, not finite numbers of shape (n,)",
        do="store one real number per frame",
    )


def _order(
    product: Hdf5File, held: Hdf5File, frames: h5py.Dataset, n_positions: int
) -> NDArray[np.int64]:
    """Which frame belongs to each position: by index where both files count, else in order."""
    wanted, have = product.dataset(INDEXES), held.dataset("indexes")
    if wanted is None or have is None:
        # One more than there are positions is refused as any other number is.
        return np.arange(min(frames.shape[0], n_positions + 1))
    positions, patterns = _real(product, wanted), _real(held, have)
    place = {int(index): row for row, index in enumerate(patterns)}
    missing = [int(index) for index in positions if int(index) not in place]
    if missing or len(positions) != n_positions or len(patterns) != frames.shape[0]:
        raise InputError(
            f"the frames of {held.path} do not belong to {product.path}",
            why=f"{len(missing)} positions have no frame of their index, e.g. {missing[:3]}"
            if missing
            else f"{n_positions} positions, {len(positions)} indexes, {frames.shape[0]} frames",
            do="give product and diffraction of one scan",
        )
    return np.array([place[int(index)] for index in positions], np.int64)


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


def _attribute(found: h5py.Dataset, name: str) -> float | None:
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


def _mask(held: Hdf5File, bad: h5py.Dataset, patch_px: int) -> NDArray[np.bool_] | None:
    if bad.shape != (patch_px, patch_px) or bad.dtype.kind not in "biuf":
        return None
    return np.asarray(held.read(bad, ()) != 0)

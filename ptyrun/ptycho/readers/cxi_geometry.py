"""How large is a pixel of the object, by the geometry that a CXI file tells?"""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.far_field import LARGEST_PIXEL_M, require_plausible
from ptyrun.ptycho.readers.hdf5 import Hdf5File
from ptyrun.ptycho.readers.units import (
    PLANCK_TIMES_LIGHT_EV_M,
    PLANCK_TIMES_LIGHT_J_M,
    Quantity,
    in_si,
    wavelength_m_of,
)

# Where the detector's rows and columns point when the file does not say: down, and to -x.
DEFAULT_AXES = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])
NEXUS = "NXcxi_ptycho"

_ALIKE = 0.01
# A detector that is tilted may be so much nearer, by its plane, than its distance along the beam.
_FAR_OFF = 0.2


@dataclass(frozen=True)
class CxiGeometry:
    """What turns metres of a translation into pixels of the object in the far field.

    Attributes
    ----------
    axes : ndarray of float64, shape (2, 3)
        Unit vectors along the detector's rows and columns.
    pixel_m : (float, float)
        Of the object, (y, x).
    energy_ev, distance_m : float
        Of the photons; from the sample to the detector.
    notes, doubts : tuple of str
        What was taken for what is missing; what contradicts itself.
    """

    axes: NDArray[np.float64]
    pixel_m: tuple[float, float]
    energy_ev: float
    distance_m: float
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


def read_geometry(file: Hdf5File, entry: str, detector: str, patch_px: int) -> CxiGeometry:
    """Read it of one entry's detector: wavelength x distance / (N x detector pixel).

    Photons' energy is looked for under ``beam_1`` first: NXcxi_ptycho keeps the machine's under
    ``source_1``. A missing pixel size is the other one's, or the length of ``basis_vectors``; a
    missing distance is that of ``corner_position`` along the detector's normal.

    Raises
    ------
    InputError
        If something is missing that nothing stands in for, or cannot be what it is called.
    """
    vectors = _vectors(file, f"{detector}/basis_vectors")
    lengths = np.linalg.norm(vectors, axis=1)
    notes: list[str] = []
    wavelength_m, doubts = _wavelength_m(file, entry)
    y_m, x_m = (_length_m(file, f"{detector}/{axis}_pixel_size") for axis in "yx")
    # Vectors of length 1 give directions alone.
    if y_m is None and x_m is None and (lengths < LARGEST_PIXEL_M).all():
        y_m, x_m = (float(length) for length in lengths)
        notes.append("the detector's pixel is taken from basis_vectors")
    elif y_m is None or x_m is None:
        missing, y_m, x_m = "y" if y_m is None else "x", y_m or x_m, x_m or y_m
        if y_m is not None:
            notes.append(
                f"{missing}_pixel_size is missing: the detector's pixel is taken as square"
            )
    elif (lengths < LARGEST_PIXEL_M).all() and not np.allclose((y_m, x_m), lengths, rtol=_ALIKE):
        doubts = (
            *doubts,
            f"the detector's pixel is {y_m:.4g} x {x_m:.4g} m by its sizes and {lengths[0]:.4g} x "
            f"{lengths[1]:.4g} m by basis_vectors; the sizes are taken",
        )
    axes = vectors / lengths[:, None]
    distance_m = _length_m(file, f"{detector}/distance")
    by_corner_m = _corner_distance_m(file, f"{detector}/corner_position", axes)
    if distance_m is None and by_corner_m is not None:
        distance_m = by_corner_m
        notes.append(f"the detector's distance, {distance_m:.4g} m, is that of corner_position")
    elif distance_m and by_corner_m and abs(by_corner_m - distance_m) > _FAR_OFF * distance_m:
        doubts = (
            *doubts,
            f"the detector's distance is {distance_m:.4g} m, and {by_corner_m:.4g} m by "
            "corner_position; the distance is taken",
        )
    missing_parts = [
        name
        for name, found in (
            ("the photons' energy or wavelength", wavelength_m),
            ("the detector's distance", distance_m),
            ("the detector's pixel size", y_m and x_m),
        )
        if not found
    ]
    if not wavelength_m or not distance_m or not y_m or not x_m:
        raise InputError(
            f"{file.path} does not say how large a pixel of the object is",
            why=f"there is no {' and no '.join(missing_parts)} in {entry}",
            do=f"write energy to {entry}/instrument_1/beam_1, distance, x_pixel_size and "
            f"y_pixel_size to {detector}",
        )
    require_plausible(file.path, distance_m, max(y_m, x_m))
    reach = wavelength_m * distance_m / patch_px
    return CxiGeometry(
        axes=axes,
        pixel_m=(reach / y_m, reach / x_m),
        energy_ev=PLANCK_TIMES_LIGHT_EV_M / wavelength_m,
        distance_m=distance_m,
        notes=tuple(notes),
        doubts=doubts,
    )


def _vectors(file: Hdf5File, name: str) -> NDArray[np.float64]:
    """Vectors (2, 3) along the detector's rows and columns, from one pixel to the next."""
    found = file.dataset(name)
    if found is None:
        return DEFAULT_AXES
    if found.dtype.kind in "fiu" and sorted(found.shape) == [2, 3]:
        vectors = in_si(file.path, found, file.read(found, ()), Quantity.LENGTH)
        vectors = vectors if vectors.shape == (2, 3) else vectors.T
        lengths = np.linalg.norm(vectors, axis=1)
        if np.isfinite(vectors).all() and (lengths > 0).all():
            return np.asarray(vectors)
    raise _unusable(file, found, "two vectors (2, 3) or (3, 2) of some length")


def _wavelength_m(file: Hdf5File, entry: str) -> tuple[float | None, tuple[str, ...]]:
    """The photons' wavelength, and what contradicts it."""
    instrument = f"{entry}/instrument_1"
    said = {
        name: found
        for place in ("beam_1", "monochromator_1", "source_1")
        for kind in ("wavelength", "incident_wavelength", "energy", "incident_energy")
        for name in [f"{instrument}/{place}/{kind}"]
        if (found := file.dataset(name)) is not None
    }
    machine = f"{instrument}/source_1/energy"
    if machine in said and file.text(f"{entry}/definition") == NEXUS:
        del said[machine]  # of the electrons in the ring, by that definition
    taken: float | None = None
    doubts: list[str] = []
    for name, dataset in said.items():
        if name == machine and taken is not None:
            continue  # where both are there, it is the machine's
        if name.endswith("wavelength"):
            wavelength_m = _one(file, dataset, Quantity.LENGTH)
            if wavelength_m is not None:
                wavelength_m_of(file.path, name, PLANCK_TIMES_LIGHT_J_M / wavelength_m)
        else:
            energy_j = _one(file, dataset, Quantity.ENERGY)
            wavelength_m = energy_j and wavelength_m_of(file.path, name, energy_j)
        if not wavelength_m:
            continue
        if taken is None:
            taken = wavelength_m
        elif abs(wavelength_m - taken) > _ALIKE * taken:
            doubts.append(
                f"{name} says a wavelength of {wavelength_m:.4g} m, where {taken:.4g} m is taken"
            )
    return taken, tuple(doubts)


def _length_m(file: Hdf5File, name: str) -> float | None:
    found = file.dataset(name)
    return None if found is None else _one(file, found, Quantity.LENGTH)


def _one(file: Hdf5File, dataset: h5py.Dataset, quantity: Quantity) -> float | None:
    """One number of several that agree, in SI units and without its sign; None where it is 0."""
    if dataset.dtype.kind not in "fiu" or not dataset.size:
        raise _unusable(file, dataset, "a number")
    values = np.abs(in_si(file.path, dataset, file.read(dataset, ()), quantity)).reshape(-1)
    first = float(values[0])
    if not np.isfinite(values).all() or np.ptp(values) > _ALIKE * first:
        raise _unusable(file, dataset, "one finite number, or several that agree")
    return first or None


def _corner_distance_m(file: Hdf5File, name: str, axes: NDArray[np.float64]) -> float | None:
    """How far the plane of the detector is, by the corner of it."""
    found = file.dataset(name)
    if found is None:
        return None
    if found.dtype.kind in "fiu" and found.size == 3:
        corner_m = in_si(file.path, found, file.read(found, ()), Quantity.LENGTH).reshape(3)
        normal = np.cross(*axes)
        length = float(np.linalg.norm(normal))
        if np.isfinite(corner_m).all() and length > 0:
            return abs(float(corner_m @ normal)) / length or None
    raise _unusable(file, found, "a vector of three finite numbers")


def _unusable(file: Hdf5File, dataset: h5py.Dataset, wanted: str) -> InputError:
    return InputError(
        f"{dataset.name} of {file.path} cannot be used",
        why=f"it is {dataset.dtype} of shape {dataset.shape}, or its values are none of these: "
        f"{wanted}",
        do="correct it, or remove it where the file says the same elsewhere",
    )

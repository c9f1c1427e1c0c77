"""How is a scan or an object read from a CXI file (cxidb.org, versions 1.3 to 1.6)?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.hdf5 import Hdf5File, Hdf5Frames, checked_stack, first_image
from ptyrun.ptycho.readers.scan import Scan, checked_positions, one_size, split_modes

PLANCK_TIMES_LIGHT_J_M = 1.98644586e-25

DETECTOR, SOURCE = "entry_1/instrument_1/detector_1", "entry_1/instrument_1/source_1"
FRAMES = ("entry_1/data_1/data", f"{DETECTOR}/data")
TRANSLATIONS = (
    "entry_1/data_1/translation",
    "entry_1/sample_1/geometry_1/translation",
    f"{DETECTOR}/translation",
)
OBJECTS = ("entry_1/image_1/data", "entry_1/object/data")
PROBES = (f"{SOURCE}/probe", f"{SOURCE}/illumination", "entry_1/probe/data")

# Where the detector's rows and columns point when the file does not say: down, and to -x.
DEFAULT_AXES = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])


def is_cxi(file: Hdf5File) -> bool:
    """Whether the file has the layout of CXI."""
    return file.dataset(*FRAMES, *OBJECTS) is not None


def read_cxi_scan(file: Hdf5File, intensity: bool = True) -> Scan:
    """Open a scan: frames, mask, and translations in metres turned into object pixels.

    The object's pixel is that of the far field, wavelength x distance / (N x detector pixel). A
    translation is the sample's, so the beam moves the other way on it. Positions are shifted so
    that the patches begin at pixel 0.

    Raises
    ------
    InputError
        If frames, translations or the geometry are missing or wrong.
    """
    frames = file.required(*FRAMES)
    patch_px = checked_stack(file.path, frames)
    metres = file.array(*TRANSLATIONS)
    if metres.ndim != 2 or metres.shape[1] not in (2, 3) or metres.dtype.kind not in "fiu":
        raise InputError(
            f"the translations of {file.path} are not positions",
            why=f"they are {metres.dtype} of shape {metres.shape}, not real of shape (n, 3)",
            do="give one translation (x, y, z) in metres per frame",
        )
    rows, columns = _axes(file)[:, : metres.shape[1]]
    along_y, along_x = -(metres @ rows), -(metres @ columns)
    pixel_m = _object_pixels_m(file, patch_px)
    positions_px = checked_positions(
        file.path, along_x / pixel_m[1], along_y / pixel_m[0], frames.shape[0]
    )
    positions_px = positions_px - positions_px.min(axis=0) + patch_px / 2
    near_field, notes = _near_field(positions_px, patch_px)
    mask = file.dataset(f"{DETECTOR}/mask")
    bad = None if mask is None or mask.dtype.kind not in "biuf" else file.read(mask, ()) != 0
    probe, weaker_modes = _probe(file, patch_px)
    return Scan(
        path=file.path,
        positions_px=positions_px,
        patch_px=patch_px,
        source=Hdf5Frames(file, frames, np.arange(frames.shape[0]), _one_mask(bad, patch_px)),
        intensity=intensity,
        probe=probe,
        near_field=near_field,
        notes=(
            f"CXI: {frames.name} is taken as {'intensity' if intensity else 'amplitude'}",
            f"translations in metres, object pixel {pixel_m[0]:.4g} x {pixel_m[1]:.4g} m",
            "a CXI scan has no ground truth",
            *notes,
        ),
        weaker_modes=weaker_modes,
        # What the far field would give is no size of a pixel in the near field.
        pixel_size_m=None if near_field else one_size(pixel_m),
    )


def read_cxi_object(file: Hdf5File) -> NDArray[np.complex64] | None:
    """Read the reconstructed object (H, W), or None where the file has none."""
    found = file.dataset(*OBJECTS)
    if found is None or found.dtype.kind != "c":
        return None
    return first_image(file.path, found.name, file.read(found, ()))


def _axes(file: Hdf5File) -> NDArray[np.float64]:
    """Unit vectors (2, 3) along the detector's rows and columns."""
    found = file.dataset(f"{DETECTOR}/basis_vectors")
    if found is None or found.dtype.kind not in "fiu" or sorted(found.shape) != [2, 3]:
        return DEFAULT_AXES
    vectors = file.read(found, ()).astype(np.float64)
    vectors = vectors if vectors.shape == (2, 3) else vectors.T
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / lengths) if np.all(lengths > 0) else DEFAULT_AXES


def _object_pixels_m(file: Hdf5File, patch_px: int) -> tuple[float, float]:
    """Far-field pixel of the object (y, x) in metres."""
    wavelength_m = file.number(f"{SOURCE}/wavelength", "entry_1/instrument_1/beam_1/wavelength")
    energy_j = file.number(f"{SOURCE}/energy", "entry_1/instrument_1/beam_1/energy")
    if wavelength_m is None and energy_j:
        wavelength_m = PLANCK_TIMES_LIGHT_J_M / energy_j
    distance_m = file.number(f"{DETECTOR}/distance")
    y_m, x_m = (file.number(f"{DETECTOR}/{axis}_pixel_size") for axis in "yx")
    if not wavelength_m or not distance_m or not y_m or not x_m:
        raise InputError(
            f"{file.path} does not say how large a pixel of the object is",
            why="that takes energy or wavelength, detector distance and pixel sizes",
            do=f"write them under {SOURCE} and {DETECTOR}",
        )
    reach = wavelength_m * abs(distance_m) / patch_px
    return reach / abs(y_m), reach / abs(x_m)


def _near_field(positions_px: NDArray[np.float64], patch_px: int) -> tuple[bool, tuple[str, ...]]:
    """Whether the steps are too wide for far-field pixels.

    A far-field probe may fill half a frame at most; steps beyond that leave no overlap.
    """
    if len(positions_px) < 2:
        return False, ()
    step_px = float(np.median(KDTree(positions_px).query(positions_px, k=2)[0][:, 1]))
    if step_px <= patch_px / 2:
        return False, ()
    return True, (
        f"near field: steps of {step_px:.0f} far-field pixels would leave frames of {patch_px} px "
        "without overlap; far-field networks do not apply, and the pixel is not the true one",
    )


def _one_mask(bad: NDArray[Any] | None, patch_px: int) -> NDArray[np.bool_] | None:
    """One mask for all frames: where any frame's says bad."""
    if bad is None or bad.shape[-2:] != (patch_px, patch_px):
        return None
    return np.asarray(bad.reshape(-1, patch_px, patch_px).any(axis=0))


_Modes = NDArray[np.complex64] | None


def _probe(file: Hdf5File, patch_px: int) -> tuple[_Modes, _Modes]:
    found = file.dataset(*PROBES)
    if found is None or found.shape[-2:] != (patch_px, patch_px):
        return None, None
    return split_modes(file.path, found.name, file.read(found, ()))

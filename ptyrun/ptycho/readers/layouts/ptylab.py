"""Does an HDF5 file hold a scan or a result of PtyLab?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.far_field import (
    object_pixel_m,
    placed,
    positive,
    require_plausible,
)
from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.frame_kind import kind_of
from ptyrun.ptycho.readers.hdf5 import Hdf5File, Hdf5Frames, checked_stack
from ptyrun.ptycho.readers.probe_modes import split_modes
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import Scan
from ptyrun.ptycho.readers.stacks import first_of
from ptyrun.ptycho.readers.units import (
    PLANCK_TIMES_LIGHT_EV_M,
    PLANCK_TIMES_LIGHT_J_M,
    Quantity,
    in_si,
    number_in_si,
    wavelength_m_of,
)

# Only scans of Fourier ptychography have them.
FOURIER = ("zled", "NA")
FRAMES, POSITIONS = "ptychogram", "encoder"
OBJECT, PROBE, PIXEL_M = "object", "probe", "dxp"
AXES = ("wavelengths", "object modes", "probe modes", "slices")


class PtyLab:
    """Frames ``ptychogram`` with ``encoder``; results with six axes.

    The object's axes are wavelength, object mode, probe mode, slice, row, column. All lengths are
    in metres, positions as (row, column). Source: ``Reconstruction.saveResults`` and
    ``ExperimentalData`` of PtyLab (doi:10.1364/OE.485370).
    """

    card = ReaderCard(
        name="ptylab",
        layout="PtyLab (.hdf5)",
        reads="scan: ptychogram, encoder, wavelength, zo, dxd; reconstruction: object, probe, dxp",
        units="metres",
        written_by="PtyLab",
        limits="far field; orientation 0; the first wavelength, object mode and slice",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has a ptychogram with positions, or an object of six axes."""
        if file.format is not Format.HDF5:
            return Held.NOTHING
        hdf5, found = file.hdf5, Held.NOTHING
        if hdf5.dataset(FRAMES) is not None and hdf5.dataset(POSITIONS) is not None:
            found |= Held.SCAN
        stored = hdf5.dataset(OBJECT)
        if stored is not None and (stored.ndim == 6 or hdf5.dataset(PIXEL_M) is not None):
            found |= Held.RECONSTRUCTION
        return found

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the scan."""
        path, hdf5 = file.path, file.hdf5
        frames = hdf5.required(FRAMES)
        side = checked_stack(path, frames)
        if hdf5.dataset("orientation") is not None and hdf5.number("orientation") != 0:
            raise InputError(
                f"{path} asks for its frames to be turned",
                why=f"its orientation is {_orientation(hdf5)}, and only 0 is read",
                do="turn the frames and write orientation 0",
            )
        if hdf5.dataset(*FOURIER) is not None:
            raise InputError(
                f"{path} is a scan of Fourier ptychography",
                why="its positions are those of lights, not of a sample",
                do="give a scan of a sample that is moved",
            )
        n_frames = int(frames.shape[0])
        encoder = hdf5.required(POSITIONS)
        metres = in_si(path, encoder, hdf5.read(encoder, ()), Quantity.LENGTH)
        if metres.shape == (2, n_frames):
            metres = metres.T
        if metres.shape != (n_frames, 2):
            raise InputError(
                f"{POSITIONS} of {path} does not fit its frames",
                why=f"it has shape {metres.shape} for {n_frames} frames",
                do="store one (row, column) in metres per frame",
            )
        wavelength_m, distance_m, detector_m = positive(
            path,
            **{
                name: number_in_si(hdf5, name, Quantity.LENGTH)
                for name in ("wavelength", "zo", "dxd")
            },
        )
        require_plausible(path, distance_m, detector_m)
        wavelength_m_of(path, "wavelength", PLANCK_TIMES_LIGHT_J_M / wavelength_m)
        pixel_m = object_pixel_m(wavelength_m, distance_m, detector_m, side)
        row, column = metres.T / pixel_m
        return Scan(
            path=path,
            positions_px=placed(path, row, column, side, n_frames),
            patch_px=side,
            source=Hdf5Frames(hdf5, frames, np.arange(n_frames)),
            intensity=request.intensity,
            pixel_size_m=pixel_m,
            energy_ev=PLANCK_TIMES_LIGHT_EV_M / wavelength_m,
            distance_m=distance_m,
            notes=(
                f"{FRAMES} is taken as {kind_of(request.intensity)}",
                f"positions in metres, object pixel {pixel_m:.4g} m",
            ),
            doubts=tuple(_doubts(hdf5)),
        )

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the first image of the object, and say of how many."""
        path, hdf5 = file.path, file.hdf5
        image, said = first_of(path, OBJECT, hdf5.array(OBJECT), AXES)
        probe, weaker = None, None
        if hdf5.dataset(PROBE) is not None:
            values = hdf5.array(PROBE)
            if values.ndim == 6:
                values = values[0, 0, :, 0]
            probe, weaker = split_modes(path, PROBE, values)
        pixel_m = number_in_si(hdf5, PIXEL_M, Quantity.LENGTH)
        return Reconstruction(
            path=path,
            object=image,
            label="PtyLab",
            algorithm="PtyLab",
            probe=probe,
            weaker_modes=weaker,
            pixel_size_m=pixel_m if pixel_m and 0 < pixel_m < np.inf else None,
            notes=("the object of PtyLab", *said),
        )


def _orientation(hdf5: Hdf5File) -> str:
    found = hdf5.number("orientation")
    return "not a number" if found is None else f"{found:g}"


def _doubts(hdf5: Hdf5File) -> Iterator[str]:
    # What is there to correct frames with, and changes none where it is this everywhere.
    for name, nothing in (("background", 0), ("W", 1)):
        found = hdf5.dataset(name)
        if found is not None and found.size and (hdf5.read(found, ()) != nothing).any():
            yield f"{name} is there and is not applied to the frames"
    spectrum = hdf5.dataset("spectralDensity")
    if spectrum is not None and spectrum.size and spectrum.size > 1:
        yield f"the light has {spectrum.size} wavelengths, and frames are read as of the one"

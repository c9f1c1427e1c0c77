"""Does an HDF5 file hold a scan or a result of PtyLab?"""

from __future__ import annotations

import numpy as np

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.far_field import (
    object_pixel_m,
    placed,
    positive,
)
from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.frame_kind import kind_of
from ptyrun.ptycho.readers.hdf5 import Hdf5Frames, checked_stack
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import Scan, split_modes
from ptyrun.ptycho.readers.stacks import first_of
from ptyrun.ptycho.readers.units import (
    PLANCK_TIMES_LIGHT_EV_M,
    PLANCK_TIMES_LIGHT_J_M,
    wavelength_m_of,
)

FRAMES, POSITIONS = "ptychogram", "encoder"
OBJECT, PROBE, PIXEL_M = "object", "probe", "dxp"
AXES = ("wavelengths", "object modes", "probe modes", "slices")
_PROBE_MODES_AXIS = 2


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
        if hdf5.number("orientation"):
            raise InputError(
                f"{path} asks for its frames to be turned",
                why=f"its orientation is {hdf5.number('orientation'):g}, and only 0 is read",
                do="turn the frames and write orientation 0",
            )
        n_frames = int(frames.shape[0])
        metres = hdf5.array(POSITIONS)
        if metres.shape == (2, n_frames):
            metres = metres.T
        if metres.shape != (n_frames, 2):
            raise InputError(
                f"{POSITIONS} of {path} does not fit its frames",
                why=f"it has shape {metres.shape} for {n_frames} frames",
                do="store one (row, column) in metres per frame",
            )
        wavelength_m, distance_m, detector_m = positive(
            path, **{name: hdf5.number(name) for name in ("wavelength", "zo", "dxd")}
        )
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
        pixel_m = hdf5.number(PIXEL_M)
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

"""Does a product of PtychoPINN carry its frames?"""

from __future__ import annotations

import numpy as np

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.complex_images import checked_complex, require_complex
from ptyrun.ptycho.readers.detector import sampled
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.frame_kind import is_intensity, kind_of
from ptyrun.ptycho.readers.hdf5 import Hdf5Frames, checked_stack
from ptyrun.ptycho.readers.positions import checked_positions
from ptyrun.ptycho.readers.probe_modes import modes_note, split_modes, stacked_modes
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanReader, ScanRequest
from ptyrun.ptycho.readers.scan import Scan

RAW = "raw_data"
FRAMES, X, Y = f"{RAW}/diffraction", f"{RAW}/xcoords", f"{RAW}/ycoords"
PROBE, OBJECT = f"{RAW}/probeGuess", f"{RAW}/objectGuess"
AXES, FRAMES_FIRST = "axis_canonical", "NHW"


class Bundle(ScanReader):
    """The group ``raw_data`` of a product: amplitudes, positions in pixels, probe, object.

    Source: specs/data_contracts.md, section 12, of PtychoPINN. Positions of the product itself are
    left alone: that writer counts them from the corner and says that it counts from the middle.
    """

    card = ReaderCard(
        name="bundle",
        layout="HDF5 product of PtychoPINN with raw_data",
        reads="scan: raw_data/diffraction, xcoords, ycoords, probeGuess, objectGuess",
        units="object pixels",
        written_by="PtychoPINN",
        limits="its object as a reconstruction is read by `product`",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has frames in ``raw_data``."""
        is_one = file.format is Format.HDF5 and file.hdf5.dataset(FRAMES) is not None
        return Held.SCAN if is_one else Held.NOTHING

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the scan."""
        path, hdf5 = file.path, file.hdf5
        frames = hdf5.required(FRAMES)
        axes = frames.attrs.get(AXES, FRAMES_FIRST)
        if axes not in (FRAMES_FIRST, FRAMES_FIRST.encode()):
            raise InputError(
                f"{FRAMES} of {path} has an unknown order of axes",
                why=f"its attribute {AXES} is {axes!r:.40}, not {FRAMES_FIRST}",
                do="store the frames first, (n, N, N)",
            )
        side = checked_stack(path, frames)
        n_frames = int(frames.shape[0])
        positions_px = checked_positions(path, hdf5.array(X), hdf5.array(Y), n_frames)
        source = Hdf5Frames(hdf5, frames, np.arange(n_frames))
        sample = source.read(sampled(n_frames))
        intensity = is_intensity(path, frames.dtype, sample, request.diffraction_kind)
        probe, weaker, guess = None, None, None
        if hdf5.dataset(PROBE) is not None:
            probe, weaker = split_modes(path, PROBE, hdf5.array(PROBE))
        if hdf5.dataset(OBJECT) is not None:
            stored = hdf5.array(OBJECT)
            require_complex(path, OBJECT, stored)
            guess = checked_complex(path, OBJECT, stored)
        return Scan(
            path=path,
            positions_px=positions_px,
            patch_px=side,
            source=source,
            intensity=intensity,
            probe=probe if probe is not None and probe.shape == (side, side) else None,
            weaker_modes=weaker,
            object_guess=guess,
            notes=(
                f"{FRAMES} is taken as {kind_of(intensity)}",
                *modes_note(stacked_modes(probe, weaker)),
            ),
        )

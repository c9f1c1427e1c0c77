"""Does an NPZ hold a scan as PtychoNN takes it?"""

from __future__ import annotations

import numpy as np

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.detector import sampled
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.frame_kind import is_intensity, kind_of
from ptyrun.ptycho.readers.positions import checked_positions
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanReader, ScanRequest
from ptyrun.ptycho.readers.scan import Scan, require_square_frames
from ptyrun.ptycho.readers.scan_npz import NpzFrames
from ptyrun.texts import enumerated

FRAMES, POSITIONS = "reciprocal", "scan"
# A scan of less than a pixel in all is one in metres.
_LEAST_EXTENT_PX = 1.0


class PtychoNN(ScanReader):
    """``reciprocal`` (n, N, N) with ``scan`` (n, 2): corners of patches as (y, x), in pixels.

    Source: ``ptychonn infer`` of PtychoNN (Argonne; doi:10.1063/5.0013065).
    """

    card = ReaderCard(
        name="ptychonn",
        layout="NPZ of PtychoNN",
        reads="scan: reciprocal, scan",
        units="object pixels, corners of patches",
        written_by="PtychoNN",
        limits="patches (`real`) are not read; files without `scan` have no positions",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has frames by this name."""
        is_one = file.format is Format.NPZ and FRAMES in file.npz
        return Held.SCAN if is_one else Held.NOTHING

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the scan."""
        path, npz = file.path, file.npz
        header = npz.header(FRAMES)
        shape = header.shape
        require_square_frames(
            f"{FRAMES} of {path}", shape, header.dtype, "store real numbers of shape (n, N, N)"
        )
        if POSITIONS not in npz:
            raise InputError(
                f"{path} has no positions",
                why=f"it holds {enumerated(npz.names)}: pairs to train PtychoNN with",
                do=f"add `{POSITIONS}` (n, 2), the corners of patches as (y, x) in pixels",
            )
        corners = npz.array(POSITIONS)
        if corners.shape != (shape[0], 2):
            raise InputError(
                f"{POSITIONS} of {path} does not fit its frames",
                why=f"it has shape {corners.shape} for {shape[0]} frames",
                do="store one (y, x) per frame",
            )
        positions_px = checked_positions(path, corners[:, 1], corners[:, 0], shape[0])
        if shape[0] > 1 and np.ptp(positions_px, axis=0).max() < _LEAST_EXTENT_PX:
            raise InputError(
                f"{POSITIONS} of {path} is not in pixels",
                why=f"all of it spans {np.ptp(positions_px, axis=0).max():.3g}; the file does not "
                "say how large a pixel is",
                do="divide the metres by the size of an object pixel",
            )
        source = NpzFrames(npz, FRAMES, last_axis=False)
        sample = source.read(sampled(shape[0]))
        intensity = is_intensity(path, header.dtype, sample, request.diffraction_kind)
        return Scan(
            path=path,
            positions_px=positions_px + shape[1] / 2,
            patch_px=shape[1],
            source=source,
            intensity=intensity,
            notes=(
                f"{FRAMES} is taken as {kind_of(intensity)}",
                "positions are the corners of patches in pixels",
            ),
        )

"""Does an NPZ hold a scan or a result of tike?"""

from __future__ import annotations

import numpy as np

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.detector import sampled
from ptyrun.ptycho.readers.finished import TIKE, Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.frame_kind import kind_of
from ptyrun.ptycho.readers.frame_sources import ShiftedFrames, middle_share
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.positions import checked_positions
from ptyrun.ptycho.readers.probe_modes import modes_note, stacked_modes
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import FrameSource, Scan, require_square_frames
from ptyrun.ptycho.readers.scan_npz import NpzFrames, shared_probe
from ptyrun.ptycho.readers.stacks import only_layers

FRAMES, POSITIONS, PROBE, OBJECT = "data", "scan", "probe", "psi"
_CENTRED, _CORNERED = 0.6, 0.4


class Tike:
    """``data``, ``scan``, ``probe``; or ``psi``.

    Positions are the corners of patches, in pixels, as (first, second) axis of the object; frames
    are intensity, zero frequency in the corner. Source: ``tike.ptycho.reconstruct`` and
    ``PtychoParameters`` of tike (Argonne), and its siemens-star-small.npz.
    """

    card = ReaderCard(
        name="tike",
        layout="NPZ of tike",
        reads="scan: data, scan, probe; reconstruction: psi, probe",
        units="object pixels, corners of patches",
        written_by="scripts around tike",
        limits="one angle; slices become their product",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has an object ``psi``, or frames with ``scan``."""
        if file.format is not Format.NPZ:
            return Held.NOTHING
        found = Held.RECONSTRUCTION if OBJECT in file.npz else Held.NOTHING
        has_frames = FRAMES in file.npz and POSITIONS in file.npz
        return found | Held.SCAN if has_frames else found

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the scan."""
        path, npz = file.path, file.npz
        source, shape = _frames(npz)
        corners = npz.array(POSITIONS)
        if corners.ndim == 3 and corners.shape[0] == 1:
            corners = corners[0]
        if corners.shape != (shape[0], 2):
            raise InputError(
                f"{POSITIONS} of {path} does not fit its frames",
                why=f"it has shape {corners.shape} for {shape[0]} frames",
                do="store one position per frame, shape (n, 2)",
            )
        side = shape[1]
        centres = corners.astype(np.float64) + side / 2
        source, notes, doubts = _centred(source, shape[0])
        probe, weaker = shared_probe(npz, PROBE, side)
        scan = Scan(
            path=path,
            positions_px=checked_positions(path, centres[:, 1], centres[:, 0], shape[0]),
            patch_px=side,
            source=source,
            intensity=request.intensity,
            probe=probe,
            weaker_modes=weaker,
            notes=(
                f"{FRAMES} is taken as {kind_of(request.intensity)}",
                "positions are the corners of patches in pixels",
                *notes,
                *modes_note(stacked_modes(probe, weaker)),
            ),
            doubts=doubts,
        )
        if OBJECT not in npz:
            return scan
        image, said = only_layers(path, OBJECT, npz.array(OBJECT))
        return scan.changed(object_guess=image, notes=(*scan.notes, *said))

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the object."""
        npz = file.npz
        image, said = only_layers(file.path, OBJECT, npz.array(OBJECT))
        probe, weaker = shared_probe(npz, PROBE, None)
        return Reconstruction(
            path=file.path,
            object=image,
            label=TIKE,
            algorithm="tike",
            probe=probe,
            weaker_modes=weaker,
            notes=("the object of tike", *said),
        )


def _frames(npz: NpzFile) -> tuple[FrameSource, tuple[int, ...]]:
    header = npz.header(FRAMES)
    shape, has_angle = header.shape, len(header.shape) == 4 and header.shape[0] == 1
    inner = shape[1:] if has_angle else shape
    where, do = f"{FRAMES} of {npz.path}", "store one angle, shape (n, N, N)"
    require_square_frames(where, inner, header.dtype, do)
    return NpzFrames(npz, FRAMES, last_axis=False, lone_axes=int(has_angle)), inner


def _centred(
    source: FrameSource, n_frames: int
) -> tuple[FrameSource, tuple[str, ...], tuple[str, ...]]:
    """Give the frames with the zero frequency in the middle, and say where it was."""
    share = middle_share(source.read(sampled(n_frames)))
    if share > _CENTRED:
        return source, ("the zero frequency lies in the middle of the frames",), ()
    note = "the zero frequency lies in the corner of the frames, and was moved to the middle"
    if share < _CORNERED:
        return ShiftedFrames(source), (note,), ()
    doubt = (
        f"{share:.0%} of the signal lies in the middle of the frames: whether the zero frequency "
        "lies there or, as in tike, in the corner cannot be told; the corner is assumed"
    )
    return ShiftedFrames(source), (), (doubt,)

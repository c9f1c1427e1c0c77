"""What does a network learn from? Groups of a scan, with probe, offsets and the true object."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.geometry.grouping import draw_groups, group_centres_px, local_offsets_px
from ptyrun.ptycho.geometry.normalisation import normalisation_factor, normalised_groups
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.simulation.exposure import FarField
from ptyrun.training.trainers import Examples


def read_examples(path: Path, gridsize: int) -> Examples:
    """Read a scan as groups, one around each position, all at once.

    Raises
    ------
    InputError
        If the file is not a scan, or lacks probe or object.
    GeometryError
        If it has too few positions for groups.
    """
    scan = open_scan(path)
    if scan.probe is None or scan.object_guess is None:
        raise InputError(
            f"nothing can be learned from {path}",
            why="it holds no probe, or no object",
            do="give a scan with probeGuess and objectGuess",
        )
    frames = draw_groups(scan.positions_px, gridsize)
    factor = normalisation_factor(scan.energies(), frames, scan.patch_px)
    members_px = scan.positions_px[frames]
    centres_px = group_centres_px(members_px)
    far_field = FarField(scan.object_guess, scan.probe)

    def truth() -> NDArray[np.complex64]:
        patches = np.empty((len(frames), scan.patch_px, scan.patch_px), np.complex64)
        for row, centre in enumerate(centres_px):
            patches[row] = far_field.patch(centre)
        return patches

    return Examples(
        diffraction=normalised_groups(scan, frames, factor),
        local_offsets_px=local_offsets_px(members_px).astype(np.float32),
        probe=scan.probe * np.float32(factor),
        truth=truth,
    )

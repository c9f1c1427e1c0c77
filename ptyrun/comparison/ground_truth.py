"""Which object are arms measured against, and does somebody say that it is the truth?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ptyrun.config import NO_TRUTH, OBJECT_GUESS, CompareConfig, Fact, PositionOrigin
from ptyrun.errors import InputError
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.ptycho.readers.complex_images import checked_complex
from ptyrun.ptycho.readers.formats import Format, format_of
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.origin import counted_from_middle
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from ptyrun.ptycho.readers.scan import Scan

if TYPE_CHECKING:
    from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.sources import GROUND_TRUTH_SHA256

FACTS = frozenset({"ground_truth", GROUND_TRUTH_SHA256})


def facts(config: CompareConfig, fingerprints: Fingerprints) -> dict[str, Fact]:
    """What was said of the truth, as the manifest has it; nothing where nothing was said."""
    if config.ground_truth is None:
        return {}
    file = config.ground_truth_file
    if file is None:
        return {"ground_truth": str(config.ground_truth)}
    return {"ground_truth": "file", GROUND_TRUTH_SHA256: fingerprints.of(file)}


def with_truth(scan: Scan, said: Path | None) -> Scan:
    """Give the scan with the object that is *said* to be the truth.

    Parameters
    ----------
    scan : Scan
    said : Path or None
        A file, ``objectGuess``, ``none``, or None where the scan itself tells.

    Raises
    ------
    InputError
        If there is no such object.
    """
    if said is None:
        return scan
    if said == NO_TRUTH:
        return scan.changed(object_is_truth=False)
    if said == OBJECT_GUESS:
        if scan.object_guess is None:
            raise InputError(
                "--ground-truth objectGuess: the scan holds no object",
                why=f"{scan.path} has none, or one of a single value",
                do="name the file that holds the object, or leave the option out",
            )
        note = "objectGuess is the ground truth, as --ground-truth says"
        return scan.changed(object_is_truth=True, notes=(*_others(scan.notes), note))
    note = f"the ground truth is the object of {said}"
    return scan.changed(
        object_guess=_read(said),
        object_is_truth=True,
        object_path=said,
        notes=(*_others(scan.notes), note),
    )


def as_said(scan: Scan, truth: Path | None, origin: PositionOrigin) -> Scan:
    """Give the scan with the object and the origin of positions that were said.

    Raises
    ------
    InputError
        If there is no such object, or positions are counted from elsewhere.
    """
    found = with_truth(scan, truth)
    return counted_from_middle(found) if origin is PositionOrigin.CENTRE else found


def noise_of(scan: Scan) -> Noise:
    """Tell which of an arm and the scan's object has noise: a reference has some, too."""
    return Noise.FIRST if scan.object_is_truth else Noise.BOTH


def _others(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Drop what the scan alone would be told of its object."""
    return tuple(note for note in notes if "objectGuess" not in note)


def _read(path: Path) -> NDArray[np.complex64]:
    """Read the ``objectGuess`` of a scan file, or else a finished reconstruction."""
    try:
        layout = format_of(path, "ground truth")
    except InputError as error:
        if path.exists():
            raise
        raise error.with_hint("objectGuess, spelt so, is the object that the scan holds") from error
    if layout is Format.NPZ:
        file = NpzFile(path)
        if "objectGuess" in file:
            found = checked_complex(path, "objectGuess", file.array("objectGuess"))
            if np.all(found == found.flat[0]):
                raise InputError(
                    f"the ground truth contains no usable values: {path}",
                    why="all values of its objectGuess are equal: it is a placeholder",
                    do="name the file that holds the object",
                )
            return found
    return open_reconstruction(path).object

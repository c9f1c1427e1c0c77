"""Which scan does a file hold? Told by what is in the file, not by its name."""

from __future__ import annotations

from pathlib import Path

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.complex_images import lacks_phase
from ptyrun.ptycho.readers.detector import without_gaps
from ptyrun.ptycho.readers.formats import whatever_is_in
from ptyrun.ptycho.readers.frame_kind import KINDS
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ScanRequest
from ptyrun.ptycho.readers.registry import reader_of, said_by
from ptyrun.ptycho.readers.scan import Scan, Survey

__all__ = ["Scan", "Survey", "open_scan"]


def open_scan(
    path: Path,
    diffraction_kind: str | None = None,
    cache_dir: Path | None = None,
    links_below: Path | None = None,
) -> Scan:
    """Open a scan without reading its frames.

    Parameters
    ----------
    path : Path
        Of any layout that a reader knows; docs/readers.md lists them.
    diffraction_kind : {"amplitude", "intensity"}, optional
        What the frames are, where the file does not tell. HDF5 files hold intensity unless said.
    cache_dir : Path, optional
        Where compressed frames are unpacked once; without it they are held in memory.
    links_below : Path, optional
        Links of an HDF5 file are followed to files below this folder; without it, nowhere.

    Raises
    ------
    InputError
        If the file is missing, unreadable or no scan.
    """
    if diffraction_kind not in (None, *KINDS):
        raise InputError(
            f"unknown kind of diffraction: {diffraction_kind!r}",
            why=f"known: {', '.join(KINDS)}",
            do="correct --diffraction-kind",
        )
    request = ScanRequest(diffraction_kind, cache_dir)
    file = ForeignFile(path, "scan", cache_dir, links_below)
    with whatever_is_in(path, file.wanted):
        reader = reader_of(file, Held.SCAN)
        found = without_gaps(reader.scan(file, request))
    _require_phase(found)
    return found.changed(
        reader=reader.card.name, notes=said_by(reader, (*found.notes, *_geometry(found)))
    )


def _require_phase(found: Scan) -> None:
    """See that an object has one; that of a simulation may be amplitudes alone."""
    guess = found.object_guess
    if guess is not None and lacks_phase(guess) and not found.object_is_truth:
        raise InputError(
            f"the object of {found.path} has no phase",
            why="its values are complex, and the imaginary part is 0 everywhere: amplitudes alone",
            do="store the complex object, amplitude times exp(i phase), or leave it out",
        )


def _geometry(found: Scan) -> tuple[str, ...]:
    """Say what is known of the photons and of the detector's place."""
    said = [
        *([f"photons of {found.energy_ev:.6g} eV"] if found.energy_ev else []),
        *([f"the detector is {found.distance_m:.4g} m away"] if found.distance_m else []),
    ]
    return (", ".join(said),) if said else ()

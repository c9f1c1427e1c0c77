"""How does what one file holds get into another layout?"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptyrun.errors import InputError, UsageError, refuse_unknown
from ptyrun.host import durable, partials
from ptyrun.host.free_place import require_free
from ptyrun.ptycho import writing
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.reader import ForeignFile, Held
from ptyrun.ptycho.readers.reconstruction import Reconstruction, open_reconstruction
from ptyrun.ptycho.readers.registry import held_in
from ptyrun.ptycho.readers.scan import Scan

SCAN, RECONSTRUCTION = "scan", "reconstruction"
WRITERS: dict[tuple[str, str], Callable[[Path, Any], None]] = {
    (SCAN, ".npz"): writing.write_scan_npz,
    (SCAN, ".cxi"): writing.write_scan_cxi,
    (RECONSTRUCTION, ".npz"): writing.write_reconstruction_npz,
    (RECONSTRUCTION, ".cxi"): writing.write_reconstruction_cxi,
}


@dataclass(frozen=True)
class Converted:
    """What was written: "scan" or "reconstruction", and doubts of how it was read."""

    kind: str
    doubts: tuple[str, ...]


def convert(
    file: Path,
    out: Path,
    *,
    what: str | None = None,
    diffraction_kind: str | None = None,
    overwrite: bool = False,
) -> Converted:
    """Write what *file* holds as a canonical scan or reconstruction; all of it or nothing.

    Parameters
    ----------
    file : Path
        Of any layout that is read.
    out : Path
        ``*.npz`` or ``*.cxi``.
    what : {"scan", "reconstruction"}, optional
        What of it; the scan where there is one.
    diffraction_kind : {"amplitude", "intensity"}, optional
        What frames are, where the file does not tell.
    overwrite : bool
        Whether a file that is there may be replaced.

    Returns
    -------
    Converted
        Which of both it was, and what is doubted of it: the file that is written does not say it.

    Raises
    ------
    UsageError
        If *out* exists, or its name says neither layout.
    InputError
        If *file* holds no such thing.
    StorageError
        If the disk refuses.
    """
    if what is not None:
        refuse_unknown([what], [SCAN, RECONSTRUCTION], "nothing can be converted as {}")
    ending = out.suffix.lower()
    if (SCAN, ending) not in WRITERS:
        raise UsageError(
            f"{out} does not say what to write",
            why="names end in .npz or .cxi",
            do="choose such a name",
        )
    require_free(out, overwrite=overwrite)
    kind = what or _kind_of(file)
    found: Scan | Reconstruction = (
        open_scan(file, diffraction_kind) if kind == SCAN else open_reconstruction(file)
    )
    durable.make_folder(out.absolute().parent)
    partial = partials.name(out)
    with durable.storage_errors(out):
        try:
            WRITERS[kind, ending](partial, found)
            durable.sync_file(partial)
            require_free(out, overwrite=overwrite)
            durable.publish(partial, out)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
    durable.fsync_folder(out.absolute().parent)
    return Converted(kind, found.doubts if isinstance(found, Scan) else ())


def _kind_of(file: Path) -> str:
    """Tell the scan from the reconstruction where a file holds one of them."""
    held = held_in(ForeignFile(file, SCAN))
    if not held:
        raise InputError(
            f"{file} holds no scan and no reconstruction",
            why="no reader knows its layout",
            do=f"inspect it with `ptyrun inspect {shlex.quote(str(file))}`",
        )
    return SCAN if Held.SCAN in held else RECONSTRUCTION

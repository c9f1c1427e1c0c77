"""What lies in a file or folder that is named: a run, a scan, a reconstruction?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from ptyrun.comparison.run import Run as Folder
from ptyrun.door.run import Run
from ptyrun.door.session import path
from ptyrun.host.bucket import is_bucket

if TYPE_CHECKING:
    from ptyrun.ptycho.readers.reconstruction import Reconstruction
    from ptyrun.ptycho.readers.scan import Scan


def open_run(folder: str | os.PathLike[str]) -> Run:
    """Open a planned run, whether it is complete or not, or one that was published.

    Parameters
    ----------
    folder : path
        The ``output_dir`` of ``compare`` or ``plan``; or ``s3://BUCKET/PREFIX``.

    Returns
    -------
    Run
        Nothing of it is in memory yet: each call looks at what is there then. For a bucket, a
        ``PublishedRun``, which has what can be read of a finished run: ``status``, ``results``,
        ``arms``, ``metrics``, ``object``, ``coverage``, ``patches`` and ``report``; nothing is
        fetched but what is asked for.

    Raises
    ------
    InputError
        If nothing is planned in *folder*.
    SchemaError, DamageError
        If its manifest was written by a newer ptyrun, or is damaged.

    Examples
    --------
    >>> run = open_run(example.folder)
    >>> run.arms
    ('first', 'second')
    """
    if is_bucket(folder):
        from ptyrun.door.published import PublishedRun

        # Text says nothing to a type checker of where it leads; nearly all of it leads to folders.
        return cast(Run, PublishedRun(str(folder)))
    where = path(folder).absolute()  # it stays the same run wherever one goes
    _ = Folder(where).manifest  # it is planned
    return Run(where)


def open_scan(
    file: str | os.PathLike[str],
    *,
    diffraction_kind: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Scan:
    """Open a scan without reading its frames.

    Parameters
    ----------
    file : path
        Of any layout in docs/readers.md, told by what is in the file.
    diffraction_kind : {"amplitude", "intensity"}, optional
        Whether diffraction is amplitude or intensity, if the file does not say.
    cache_dir : path, optional
        Where compressed frames are unpacked once; without it they are held in memory.

    Returns
    -------
    Scan
        ``positions_px`` (M, 2) float64 as (y, x) in object pixels, ``patch_px``, ``object_guess``
        (H, W) complex64 or None, ``amplitudes(frames)`` -> (k, N, N) float32.

    Raises
    ------
    InputError
        If the file is missing, unreadable or no scan.

    Examples
    --------
    >>> scan = open_scan(example.scan)
    >>> scan.positions_px.shape, scan.object_guess.dtype
    ((60, 2), dtype('complex64'))
    """
    from ptyrun.ptycho.readers import opening

    return opening.open_scan(path(file), diffraction_kind, path(cache_dir) if cache_dir else None)


def open_reconstruction(file: str | os.PathLike[str]) -> Reconstruction:
    """Read a finished reconstruction, told by what is in the file.

    Parameters
    ----------
    file : path
        Of any layout in docs/readers.md.

    Returns
    -------
    Reconstruction
        ``object`` (H, W) complex64, dimensionless; ``label``, ``algorithm``, ``notes``.

    Raises
    ------
    InputError
        If the file is missing, unreadable or holds no reconstruction, or one of a single value.

    Examples
    --------
    >>> open_reconstruction(example.reconstructions[0]).object.shape
    (96, 90)
    """
    from ptyrun.ptycho.readers import reconstruction

    return reconstruction.open_reconstruction(path(file))

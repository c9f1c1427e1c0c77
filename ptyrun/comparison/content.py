"""Is a run complete, by its content? And what are the digests of what it left?

Nothing is taken from an exit code or from the presence of a file: every committed chunk is compared
with the ledger, and every file that people use is opened and read to its end.
"""

from __future__ import annotations

import csv
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import zarr
from PIL import Image, UnidentifiedImageError

from ptyrun.comparison import objects, publishing
from ptyrun.comparison.run import Run
from ptyrun.comparison.wholeness import require_whole
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import DamageError, SchemaError
from ptyrun.host import listing
from ptyrun.host.checksums import file_sha256, folder_sha256
from ptyrun.paths import RunPaths
from ptyrun.results import Results
from ptyrun.texts import counted

_AGAIN = "run `ptyrun finalize` and `ptyrun report` again, or start the session once more"


def check_content(run: Run) -> dict[str, str]:
    """Judge a run that was computed, finalized and reported.

    Returns
    -------
    dict
        SHA-256 of every artifact by its path below the run's folder, as `Completion.artifacts`.

    Raises
    ------
    DamageError
        If a chunk is missing or not as the ledger says, or if a file that ``finalize`` and
        ``report`` make is missing, damaged, empty or of another run; the error names it.
    """
    paths, manifest = run.paths, run.manifest
    _check_chunks(run)
    _check_results(paths, manifest)
    _check_objects(paths, manifest)
    artifacts = {_name(paths, path): _digest(path) for path in _artifacts(paths, manifest)}
    return dict(sorted(artifacts.items()))


def _check_chunks(run: Run) -> None:
    for name, arm in run.progress.arms.items():
        missing = next(arm.missing(), None)
        if missing is not None:
            left = arm.plan.n_chunks - arm.chunks_committed
            raise DamageError(
                f"the run is not complete: it lacks {counted(left, 'chunk')} of {name}",
                why=f"the first is chunk {missing}",
                do="run `ptyrun run` on it again",
            )
    require_whole(run, "it is not complete by its content")


def _check_results(paths: RunPaths, manifest: Manifest) -> None:
    for made in (publishing.results(paths), publishing.report(paths)):
        for name, why in publishing.problems_seen(paths, made):
            raise _bad(made.target / name, why)
    try:
        results = Results.load(paths.results)
    except FileNotFoundError:
        raise _bad(paths.results, "it is missing") from None
    if results.manifest_digest != manifest.digest:
        raise _bad(paths.results, f"it quotes manifest {results.manifest_digest[:12]}…")
    for arm in manifest.arms:
        if arm.name not in results.arms:
            raise _bad(paths.results, f"it says nothing of arm {arm.name!r}")
        if results.is_measured and not results.arms[arm.name].metrics:
            raise _bad(paths.results, f"arm {arm.name!r} has no metrics")


def _check_objects(paths: RunPaths, manifest: Manifest) -> None:
    try:
        for arm in manifest.arms:
            for name in ("object", "coverage"):
                path = f"{arm.name}/{name}"
                if objects.read(paths, path) is None:  # its checksums are checked in reading
                    raise _bad(paths.objects, f"there is no {path}")
                image = zarr.open_array(paths.objects / path, mode="r", zarr_format=3)
                if image.nchunks_initialized < image.nchunks:  # they read as fill
                    raise _bad(paths.objects, f"chunks of {path} are missing")
    except (OSError, KeyError, ValueError, RuntimeError, SchemaError) as error:
        raise _bad(paths.objects, repr(error)) from error


def _artifacts(paths: RunPaths, manifest: Manifest) -> Iterator[Path]:
    required = [paths.results, paths.metrics_csv, paths.plot, paths.objects, paths.report]
    where_asked = [paths.ring_curves, paths.reconstructions, paths.reconstructions_aligned]
    where_asked += [paths.frc_curves(arm.name) for arm in manifest.arms]
    for path in [*required, *(path for path in where_asked if path.exists())]:
        for file in _files(path):
            check = _READERS.get(file.suffix)
            if not file.stat().st_size or (check is not None and not check(file)):
                raise _bad(file, "it is empty or damaged")
        yield path


def _files(path: Path) -> list[Path]:
    files = list(listing.files_below(path)) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise _bad(path, "it is missing")
    return sorted(files, key=Path.as_posix)


def _is_table(path: Path) -> bool:
    with path.open(encoding="utf-8", newline="") as stream:
        text = stream.read()
    lengths = {len(row) for row in csv.reader(text.splitlines())}
    return len(lengths) == 1 and text.endswith("\n")


def _is_picture(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            image.verify()
    except (UnidentifiedImageError, SyntaxError, OSError):
        return False
    return True


def _is_archive(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False


_END_BYTES = 4096


def _is_page(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _END_BYTES))
        return stream.read(_END_BYTES).rstrip().endswith(b"</html>")


_READERS: dict[str, Callable[[Path], bool]] = {
    ".csv": _is_table,
    ".png": _is_picture,
    ".npz": _is_archive,
    ".html": _is_page,
}


def _name(paths: RunPaths, path: Path) -> str:
    return path.relative_to(paths.root).as_posix() + ("/" if path.is_dir() else "")


def _digest(path: Path) -> str:
    return folder_sha256(path) if path.is_dir() else file_sha256(path)


def _bad(path: Path, why: str) -> DamageError:
    return DamageError(f"not complete by its content: {path}", why=why, do=_AGAIN)

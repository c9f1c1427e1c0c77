"""Which files make the result of a run, and which of an earlier result must go?"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

from ptyrun.config import Presentation
from ptyrun.errors import UsageError
from ptyrun.host import checksums, durable, listing
from ptyrun.paths import RunPaths
from ptyrun.results import Results

_OPTIONAL = (
    *("reconstructions*.npz", "reconstructions*_metadata.txt", "*_frc_curves.csv"),
    *("comparison_plot.pdf", "comparison_plot.svg", "frc_plot*.???"),
)


def result_files(paths: RunPaths, results: Results, presentation: Presentation) -> tuple[Path, ...]:
    """Name the files and folders that ``finalize`` leaves in a run's folder."""
    return tuple(_result_files(paths, results, presentation))


def _result_files(paths: RunPaths, results: Results, presentation: Presentation) -> Iterator[Path]:
    yield from (paths.results, paths.objects, paths.metrics_csv, paths.ring_curves, paths.plot)
    yield from (path for path in paths.figures() if path != paths.plot and path.exists())
    archives = [paths.reconstructions] if presentation.save_npz else []
    if results.is_measured:
        yield from map(paths.frc_curves, results.arms)
        archives += [paths.reconstructions_aligned] if presentation.save_npz_aligned else []
    for archive in archives:
        yield archive
        yield archive.with_name(f"{archive.stem}_metadata.txt")
    if presentation.save_debug_images:
        yield paths.debug


def found_in(paths: RunPaths) -> list[Path]:
    """Files and folders in a run's folder that have the name of some result."""
    tables = [paths.metrics_csv, paths.ring_curves]
    fixed = [paths.results, paths.objects, *tables, paths.plot, paths.report]
    return sorted([*filter(Path.exists, fixed), *listing.matching(paths.root, *_OPTIONAL)])


def require_outside(paths: RunPaths, target: Path) -> None:
    """See that what somebody wants written does not lie in the run's folder.

    Raises
    ------
    UsageError
        If it does.
    """
    folder, resolved = paths.root.resolve(), target.resolve()
    if folder == resolved or folder in resolved.parents:
        raise UsageError(
            f"{target} lies in the run's folder",
            why="`ptyrun verify` would call it unexpected: a run's checksums list its own files",
            do="choose a place outside of it",
        )


def is_own(paths: RunPaths, path: Path) -> bool:
    """Tell whether *path* is, or lies in, what the run itself writes into its folder."""
    folder, target = paths.root.resolve(), path.resolve()
    if folder not in target.parents:
        return False
    name = target.relative_to(folder).parts[0]
    results = any(fnmatchcase(name, pattern) for pattern in _OPTIONAL)
    return results or name in paths.names() or name == checksums.NAME


def obsolete(paths: RunPaths, new: frozenset[str]) -> Iterator[Path]:
    """Name what results made by any ptyrun left in a run's folder and the *new* ones have not."""
    below = map(listing.files_below, (paths.objects, paths.debug))
    for path in chain(listing.matching(paths.root, *_OPTIONAL), *below):
        if path.is_file() and path.relative_to(paths.root).as_posix() not in new:
            yield path


def withdraw_completion(paths: RunPaths) -> None:
    """No longer say that all is done, before something of it is made or forgotten."""
    with durable.storage_errors(paths.completion):
        paths.completion.unlink(missing_ok=True)

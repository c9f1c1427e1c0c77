"""Are results those that would be made now? Told without making them.

Each list of checksums says what its files were made from. Files that have the size, inode and times
of when they were last read whole are not read again.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from ptyrun import __version__
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.config import Presentation
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.progress import Progress
from ptyrun.errors import InputError, NewerError, SchemaError
from ptyrun.host import checksums
from ptyrun.host.documents import digest_of
from ptyrun.paths import RunPaths
from ptyrun.results import Results, are_of


def results_made_from(manifest: Manifest, progress: Progress) -> str:
    """Digest all that the files of ``finalize`` depend on."""
    stored = {name: arm.stored_sha256 for name, arm in progress.arms.items()}
    presentation = Presentation.from_facts(manifest.sources).facts()
    return digest_of([__version__, Results.SCHEMA, manifest.digest, presentation, stored])


def report_made_from(manifest: Manifest, progress: Progress, paths: RunPaths) -> str:
    """Digest all that the files of ``report`` depend on: results, history and names."""
    results = (paths.root / checksums.NAME).read_bytes() if paths.results.exists() else b""
    commits = {name: arm.commits for name, arm in progress.arms.items()}
    where = str(paths.root.resolve())
    text = hashlib.sha256(results).hexdigest()
    return digest_of([__version__, text, dict(manifest.sources), commits, where])


def results_of(paths: RunPaths, manifest: Manifest) -> Results:
    """Read ``results.json``, which has its arms by name, with them in the order of the plan."""
    results = Results.load(paths.results)
    planned = [arm.name for arm in manifest.arms if arm.name in results.arms]
    return replace(results, arms={name: results.arms[name] for name in planned})


def refuse_newer_results(paths: RunPaths, manifest: Manifest) -> None:
    """Refuse to replace results of this very plan that only a newer ptyrun can read.

    Raises
    ------
    NewerError
        If a newer ptyrun wrote ``results.json``.
    """
    if are_of(paths.results, manifest.digest):
        try:
            Results.load(paths.results)
        except NewerError as error:
            raise error.with_hint("or replace them with `ptyrun finalize RUN --force`") from error
        except SchemaError:
            return  # none of any version: they are made again


def is_current(folder: Path, made_from: str, fingerprints: Fingerprints) -> bool:
    """Whether *folder* holds what is made from just that, whole."""
    if checksums.made_from(folder) != made_from:
        return False
    try:
        listed = checksums.vouched(folder)
        return all(fingerprints.of(folder / name) == digest for name, digest in listed.items())
    except (InputError, ValueError):
        return False


def results_are_current(
    paths: RunPaths, manifest: Manifest, made_from: str, fingerprints: Fingerprints
) -> bool:
    """Whether what ``finalize`` makes of just that is there, in the run's folder and elsewhere."""
    return _debug_files_are_there(manifest) and is_current(paths.root, made_from, fingerprints)


def _debug_files_are_there(manifest: Manifest) -> bool:
    """Whether the files that were asked for outside of the run's folder are there."""
    folder = Presentation.from_facts(manifest.sources).baseline_debug_dir
    has_baseline = any(arm.name == "baseline" for arm in manifest.arms)
    return folder is None or not has_baseline or (Path(folder) / "baseline_debug.npz").exists()

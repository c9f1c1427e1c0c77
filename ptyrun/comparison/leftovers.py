"""Are results, caches and notes of sessions, which rest on the committed chunks, still whole?

What nobody takes a figure from is not looked at: ``claims/``, ``logs/``, ``blocked/``, locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ptyrun.comparison import publishing
from ptyrun.comparison.completion import Completion
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.kept import Kept
from ptyrun.comparison.run import Run
from ptyrun.comparison.tracked import TrackedProcess
from ptyrun.engine import ownership
from ptyrun.engine.integrity import Damage, Kind
from ptyrun.errors import NewerError, PtyrunError
from ptyrun.host import checksums, documents, locks, trees
from ptyrun.host.regular import read_text
from ptyrun.paths import RunPaths
from ptyrun.ptycho.readers.npy_cache import NpyCache
from ptyrun.results import Results, are_of
from ptyrun.texts import counted


def damages(paths: RunPaths, *, unpacked: bool) -> Iterator[Damage]:
    """Name what is not as it was written; with *unpacked*, read unpacked scans as well."""
    pending = _pending(paths)
    for name in pending.values():
        why = "complete, but not all in place: a process was ended while it moved these files"
        yield Damage(Kind.RESULT, f"{paths.unpublished.name}/{name}", why)
    for folder, holds in _vouched_for(paths).items():
        if folder in pending:
            continue
        if not holds.exists() and not (folder / checksums.NAME).exists():
            continue
        for name, why in checksums.problems(folder):
            yield Damage(Kind.RESULT, (folder / name).relative_to(paths.root).as_posix(), why)
    yield from _foreign_objects(paths)
    kinds = {paths.process: Kind.SESSION, paths.completion: Kind.SESSION, paths.owner: Kind.CACHE}
    for document, kind in kinds.items():
        try:
            documents.unsealed(read_text(document, documents.MAX_BYTES))
        except FileNotFoundError:
            continue
        except ValueError as error:
            yield Damage(kind, document.name, str(error))
    if (lost := Fingerprints(paths.digests).damage()) is not None:
        yield Damage(Kind.CACHE, paths.digests.relative_to(paths.root).as_posix(), lost)
    for document in (paths.costs, paths.planning_costs, paths.refused, paths.asked, paths.checked):
        try:
            documents.unsealed(document.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            continue
        except ValueError as error:
            yield Damage(Kind.CACHE, document.relative_to(paths.root).as_posix(), str(error))
    for path in Kept(paths.steps).damaged():
        lost = "its bytes do not match the CRC in its name"
        yield Damage(Kind.CACHE, path.relative_to(paths.root).as_posix(), lost)
    for path in NpyCache(paths.cache).damaged() if unpacked else ():
        lost = "its bytes do not match the CRC in its name"
        yield Damage(Kind.CACHE, path.relative_to(paths.root).as_posix(), lost)


def newer(paths: RunPaths, found: Sequence[Damage]) -> Iterator[NewerError]:
    """Say which documents, of those that are not *found* damaged, a newer ptyrun wrote.

    Caches are not among them: no ptyrun believes one that it does not know.
    """
    damaged = {damage.path for damage in found}
    looks: dict[Path, Callable[[], object]] = {
        paths.owner: lambda: ownership.refuse_newer(paths),
        paths.results: lambda: Results.find(paths.results),
        paths.process: lambda: TrackedProcess.find(paths.process),
        paths.completion: lambda: Completion.find(paths.completion),
    }
    for path, look in looks.items():
        if path.name in damaged:
            continue
        try:
            look()
        except NewerError as error:
            yield error
        except (PtyrunError, OSError, ValueError):
            pass  # damage, which is named as that


def orphaned(run: Run) -> Iterator[Damage]:
    """Name results that were made from chunks of which the ledger knows nothing any more."""
    name = run.paths.results.name
    if are_of(run.paths.results, run.manifest.digest) and (lost := run.ledger.unexplained()):
        why = (
            f"the ledger that it was made from is gone: {counted(lost, 'chunk')} not in it; "
            "`ptyrun run` computes what is missing, --repair discards the results"
        )
        yield Damage(Kind.RESULT, name, why)


def _pending(paths: RunPaths) -> dict[Path, str]:
    """Names of sets of files that are complete and not wholly in place, by where they belong."""
    sets = {
        paths.root: publishing.results(paths),
        paths.report: publishing.report(paths),
        paths.preview: publishing.preview(paths),
    }
    return {folder: each.name for folder, each in sets.items() if each.is_pending}


def _vouched_for(paths: RunPaths) -> dict[Path, Path]:
    """Folders with a list of checksums, and what is never there without one."""
    return {
        paths.root: paths.results,
        paths.report: paths.report / "index.html",
        paths.preview: paths.preview / "preview.json",
    }


def _foreign_objects(paths: RunPaths) -> Iterator[Damage]:
    """Name files in ``objects.zarr`` that are none of the results; readers would take them in."""
    try:
        known = checksums.vouched(paths.root)
    except ValueError:
        return
    for path in checksums.files_below(paths.objects) if paths.objects.is_dir() else ():
        name = path.relative_to(paths.root).as_posix()
        if name not in known:
            yield Damage(Kind.UNEXPECTED, name, "it does not belong to the results")


def repair(paths: RunPaths, found: Sequence[Damage]) -> list[Damage]:
    """Delete what is damaged, with what vouches for it, so that it is made anew.

    Returns
    -------
    list of Damage
        What cannot be put right now: notes of a session that is at work.
    """
    beyond = []
    for made in (publishing.results, publishing.report, publishing.preview):
        publication = made(paths)
        publication.settle()
    for damage in found:
        if damage.path.startswith(f"{paths.unpublished.name}/"):
            continue
        path = paths.root / damage.path
        if damage.kind is Kind.SESSION and _is_at_work(paths):
            beyond.append(damage)
        elif damage.kind in (Kind.SESSION, Kind.CACHE):
            path.unlink(missing_ok=True)
        elif damage.kind is Kind.RESULT:
            _give_up(paths, path)
    return beyond


def _give_up(paths: RunPaths, damaged: Path) -> None:
    damaged.unlink(missing_ok=True)
    for folder in (paths.report, paths.preview):
        if damaged.is_relative_to(folder):
            trees.discard(folder)
            return
    # Results are written as a whole, and taken back as one.
    paths.results.unlink(missing_ok=True)
    checksums.withdraw(paths.root)


def _is_at_work(paths: RunPaths) -> bool:
    return locks.is_held(paths.process_lock)

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
from ptyrun.engine.publication import Publication
from ptyrun.errors import NewerError, PtyrunError
from ptyrun.host import checksums, documents, locks, trees
from ptyrun.host.regular import read_text
from ptyrun.paths import RunPaths
from ptyrun.ptycho.readers.npy_cache import NpyCache
from ptyrun.results import Results, are_of
from ptyrun.texts import counted

_FOREIGN = "it does not belong to the results"


def damages(paths: RunPaths, *, unpacked: bool, is_alone: bool = False) -> Iterator[Damage]:
    """Name what is not as it was written.

    Parameters
    ----------
    paths : RunPaths
    unpacked : bool
        Read unpacked scans as well.
    is_alone : bool
        Whether the caller sees to it that nobody makes results, a report or a preview meanwhile.
    """
    for each, holds in _vouched_for(paths).items():
        yield from _of_set(paths, each, holds, is_alone=is_alone)
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


def _vouched_for(paths: RunPaths) -> dict[Publication, Path]:
    """Sets of files with a list of checksums, and what is never there without one."""
    return {
        publishing.results(paths): paths.results,
        publishing.report(paths): paths.report / "index.html",
        publishing.preview(paths): paths.preview / "preview.json",
    }


def _of_set(paths: RunPaths, made: Publication, holds: Path, *, is_alone: bool) -> Iterator[Damage]:
    """Name what of a set of files is damaged, foreign, or left half moved."""

    def look(folder: Path) -> Iterator[tuple[str, str]]:
        if holds.exists() or (folder / checksums.NAME).exists():
            yield from checksums.problems(folder)
        if folder == paths.root:
            yield from _foreign_objects(paths)

    found = publishing.problems(paths, made, look, is_alone=is_alone)
    if found is None:
        where = f"{paths.unpublished.name}/{made.name}"
        yield Damage(Kind.RESULT, where, publishing.HALF_MOVED)
        return
    for name, why in found:
        kind = Kind.UNEXPECTED if why == _FOREIGN else Kind.RESULT
        yield Damage(kind, (made.target / name).relative_to(paths.root).as_posix(), why)


def _foreign_objects(paths: RunPaths) -> Iterator[tuple[str, str]]:
    """Name files in ``objects.zarr`` that are none of the results; readers would take them in."""
    try:
        known = checksums.vouched(paths.root)
    except ValueError:
        return
    for path in checksums.files_below(paths.objects) if paths.objects.is_dir() else ():
        name = path.relative_to(paths.root).as_posix()
        if name not in known:
            yield name, _FOREIGN


def repair(paths: RunPaths, found: Sequence[Damage]) -> list[Damage]:
    """Delete what is damaged, with what vouches for it, so that it is made anew.

    The caller sees to it that nobody makes results, a report or a preview meanwhile.

    Returns
    -------
    list of Damage
        What cannot be put right now: notes of a session that is at work.
    """
    beyond = []
    for made in (publishing.results, publishing.report, publishing.preview):
        made(paths).sweep()
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

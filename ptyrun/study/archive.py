"""How are files of a hub set aside, all or none, whatever ends the process meanwhile?

A list of moves, written at once, is the moment from which they count; whoever finds it finishes
them. What is set aside lies below ``archive/`` under the names it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import ClassVar

from ptyrun.errors import BusyError, ForeignFileError, GoneError, UsageError
from ptyrun.host import durable, listing, locks
from ptyrun.host.documents import Document
from ptyrun.host.regular import below
from ptyrun.study import analysis
from ptyrun.study.contents import Contents
from ptyrun.study.graph import Graph
from ptyrun.study.hub import ARCHIVE, LOCKS, PIECES, RECORD, Hub
from ptyrun.study.record import Record

MOVES = ".moves.json"
_OWN = (ARCHIVE, LOCKS)


@dataclass(frozen=True)
class Moves(Document):
    """Which files and folders go to one archive folder; gone when all have."""

    NAME: ClassVar[str] = "list of moves"
    SCHEMA: ClassVar[int] = 1
    REMEDY: ClassVar[str] = "delete it; what was moved lies in the archive folder of its name"

    folder: str
    names: tuple[str, ...]


def set_aside(hub: Hub, names: Sequence[str], why: str) -> Path | None:
    """Move what there is of *names* into one archive folder; None if there is nothing."""
    present = tuple(name for name in names if _is_there(hub.path(name)))
    if not present:
        return None
    durable.make_folder(hub.locks)
    with locks.Lock(hub.door, momentary=True) as door:
        locks.exclude(door, "sets files of this hub aside")
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = f"{stamp}-{why}-{token_hex(2)}"
        durable.make_folder(hub.archive / folder)
        moves = Moves(folder, present)
        moves.save(hub.archive / f"{folder}{MOVES}")
        _finish(hub, moves)
    return hub.archive / folder


def settle(hub: Hub) -> None:
    """Finish the moves that ended processes left.

    Raises
    ------
    NewerError
        If a newer ptyrun began one: what it moves is not known here.
    """
    if not listing.matching(hub.archive, f"*{MOVES}"):
        return
    durable.make_folder(hub.locks)
    with locks.Lock(hub.door, momentary=True) as door:
        locks.exclude(door, "sets files of this hub aside")
        for path in listing.matching(hub.archive, f"*{MOVES}"):
            moves = Moves.find_sound(path)
            if moves is not None:
                with suppress(ForeignFileError):
                    _finish(hub, moves)


def _finish(hub: Hub, moves: Moves) -> None:
    folder = below(hub.archive, moves.folder)
    touched = set()
    for name in moves.names:
        source, place = below(hub.root, name), below(folder, name)
        if _is_there(source) and not _is_there(place):
            durable.make_folder(place.parent)
            with suppress(GoneError):
                durable.publish(source, place)
            touched |= {source.parent, place.parent}
    for parent in touched:
        durable.fsync_folder(parent)
    with durable.storage_errors(hub.archive):
        (hub.archive / f"{moves.folder}{MOVES}").unlink(missing_ok=True)


def drop_equal(folder: Path | None, outputs: Mapping[str, str], contents: Contents) -> None:
    """Delete what was set aside and was made again byte by byte."""
    if folder is None:
        return
    for name, digest in outputs.items():
        if contents.digest(folder / name) == digest and (folder / name).is_file():
            with suppress(OSError):
                (folder / name).unlink()
    _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    for path in [*listing.folders_below(folder)][::-1]:
        with suppress(OSError):
            path.rmdir()
    for path in (folder, folder.parent):
        with suppress(OSError):
            path.rmdir()


def clobber(graph: Graph) -> Path | None:
    """Set aside all that the stages of *graph* made, and what was made from it.

    The caller sees that nobody works on the hub.

    Returns
    -------
    Path or None
        The archive folder; None if there was nothing.

    Raises
    ------
    UsageError
        If an input of the study lies among what would be set aside.
    BusyError
        If a process makes a stage.
    NewerError
        If a newer ptyrun began to set something aside, or wrote a record.
    """
    hub = graph.hub
    settle(hub)
    durable.make_folder(hub.locks)
    with ExitStack() as held:
        for stage in graph.stages:
            lock = held.enter_context(locks.Lock(hub.stage_lock(stage.key)))
            if not lock.try_acquire():
                raise BusyError(
                    f"the stage {stage.key} is being made",
                    why="what is moved to the archive must not be in use",
                    do="wait until it ends, then give this command again",
                )
        names = outermost(_names(graph))
        _require_unused(graph, names)
        return set_aside(hub, names, why="clobber")


def _names(graph: Graph) -> Iterator[str]:
    hub = graph.hub
    outputs: set[str] = set()
    for stage in graph.stages:
        outputs.update(stage.outputs)
        yield from stage.outputs if not stage.workspace else (stage.workspace,)
        documents = (stage.record(hub), stage.attempt(hub), hub.log(stage.key))
        yield from _below(hub, documents)
        folder = hub.path(str(stage.folder))
        yield from _below(hub, listing.matching(folder, f"{stage.key}{PIECES}*"))
    records = dict(_records(hub))
    while True:
        further = {
            path: record
            for path, record in records.items()
            if outputs.intersection(record.inputs) and not outputs.issuperset(record.outputs)
        }
        if not further:
            break
        for path, record in further.items():
            outputs.update(record.outputs)
            whole = (record.workspace,) if record.workspace else record.outputs
            yield from (*whole, *_below(hub, [path, hub.log(record.stage)]))
    if analysis.MANIFEST in outputs:  # with the comparisons goes all that sums them up
        entries = listing.entries(hub.path(analysis.FOLDER))
        files = [each.name for each in entries if not each.is_dir(follow_symlinks=False)]
        yield from (f"{analysis.FOLDER}/{name}" for name in sorted(files))


def outermost(names: Iterable[str]) -> list[str]:
    """Leave out what lies in a folder that is named as well, and what is named twice."""
    found = {name: PurePosixPath(name) for name in names}
    places = set(found.values())
    return [name for name, place in found.items() if places.isdisjoint(place.parents)]


def _records(hub: Hub) -> Iterator[tuple[Path, Record]]:
    for entry in listing.entries(hub.root):
        if entry.is_dir(follow_symlinks=False) and entry.name not in _OWN:
            for path in listing.files_below(hub.root / entry.name):
                if path.name.endswith(RECORD):
                    with suppress(OSError):
                        if (record := Record.find_sound(path)) is not None:
                            yield path, record


def _below(hub: Hub, paths: Iterable[Path]) -> Iterator[str]:
    return (path.relative_to(hub.root).as_posix() for path in paths)


def _require_unused(graph: Graph, names: Sequence[str]) -> None:
    hub = graph.hub
    places = [hub.path(name).resolve() for name in names]
    for stage in graph.stages:
        for each in stage.inputs:
            path = each.path.resolve()
            if each.name not in graph.makers and any(path.is_relative_to(p) for p in places):
                raise UsageError(
                    f"--clobber would move {each.path}, an input of the stage {stage.key}",
                    why="it lies where a stage of the same study writes",
                    do="copy it to a place outside the hub, and name that",
                )


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()

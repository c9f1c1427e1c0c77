"""Is what the ledger names on disk, whole? By size, by sample or by every byte.

Nothing is decoded: a chunk's last four bytes are the CRC-32C of those before, and the ledger names
it.
"""

from __future__ import annotations

import random
import stat
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from ptyrun.engine import ledger_cache
from ptyrun.engine.arm_plan import chunk_key, patches_path
from ptyrun.engine.index_arrays import metadata_is_whole, open_index
from ptyrun.engine.ledger import SUFFIX, Ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.store import (
    CRC_BYTES,
    ZARR_GROUP,
    array_specs,
    read_metadata,
)
from ptyrun.errors import (
    DamageError,
    ForeignFileError,
    GoneError,
    NewerError,
    PtyrunError,
    StorageError,
)
from ptyrun.host import durable, listing
from ptyrun.host.partials import PARTIAL
from ptyrun.host.regular import open_regular
from ptyrun.paths import RunPaths
from ptyrun.texts import printable

SAMPLE_CHUNKS = 64


class Level(StrEnum):
    """How closely to look at the chunks."""

    SIZE = "size"
    SAMPLE = "sample"
    FULL = "full"


class Kind(StrEnum):
    """What is wrong with a thing."""

    MISSING = "missing"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    UNEXPECTED = "unexpected"
    LEDGER = "ledger"
    MANIFEST = "manifest"
    INDEX = "index"
    METADATA = "metadata"
    STATE = "state"
    RESULT = "result"
    SESSION = "session"
    CACHE = "cache"
    INPUT = "input"


# Files that nobody reads, and a cache that is made again.
HARMLESS = frozenset({Kind.UNEXPECTED, Kind.STATE})


@dataclass(frozen=True)
class Damage:
    """One thing that is not as it should be; ``arm`` and ``chunk`` where it is a chunk.

    ``path`` is relative to the run's folder.
    """

    kind: Kind
    path: str
    detail: str
    arm: str | None = None
    chunk: int | None = None

    def __str__(self) -> str:
        return printable(f"{self.kind}: {self.path}: {self.detail}").replace("\n", "; ")


Step = Callable[[int, int], None]


def verify(
    paths: RunPaths, level: Level = Level.FULL, *, seed: int = 0, progress: Step | None = None
) -> list[Damage]:
    """Look at everything that a run's identity, progress and outputs rest on.

    Parameters
    ----------
    paths : RunPaths
    level : Level
        Of chunks: their sizes; and every byte of some; and every byte of all. Everything else is
        always read whole.
    seed : int
        Chooses the sample.
    progress : callable, optional
        Told how many of how many chunks were looked at.

    Returns
    -------
    list of Damage
        Empty if nothing is wrong.

    Raises
    ------
    InputError
        If there is no run.
    StorageError
        If the disk refuses to tell.
    NewerError
        If a newer ptyrun wrote its manifest or a line of its ledger, which is not damage.
    """
    try:
        manifest = Manifest.of(paths)
    except (ForeignFileError, StorageError, NewerError):
        raise  # nothing in such a folder may be looked at, or nothing is known
    except DamageError as error:
        return [Damage(Kind.MANIFEST, paths.manifest.name, error.why)]
    except PtyrunError as error:
        if not paths.manifest.exists():
            raise
        return [Damage(Kind.MANIFEST, paths.manifest.name, error.why)]
    ledger = Ledger(paths, manifest)
    ledger.refresh()
    damages = [
        *_superseded_damages(paths),
        *_ledger_damages(ledger),
        *_metadata_damages(paths, manifest),
        *_index_damages(paths, manifest),
        *_foreign_chunks(paths, ledger),
    ]
    progress_of = ledger.progress.arms.values()
    total = sum(arm.chunks_committed - arm.chunks_pruned for arm in progress_of)
    looked_at = 0
    for arm in ledger.progress.arms.values():
        found = list(size_damages(paths, arm, ledger.refresh))
        gone = {damage.chunk for damage in found}
        kept = (c for c, done in enumerate(arm.committed) if done and not arm.lacks_on_purpose(c))
        whole: Sequence[int] = array("Q", (chunk for chunk in kept if chunk not in gone))
        if level is not Level.FULL:
            few = SAMPLE_CHUNKS if level is Level.SAMPLE else 0
            whole = sorted(random.Random(seed).sample(whole, min(few, len(whole))))
        for chunk in whole:
            if any(byte_damages(paths, arm, chunk)):
                # A session may compute and commit it again at this moment: what counts now?
                ledger.refresh()
                found += byte_damages(paths, arm, chunk) if arm.committed[chunk] else ()
            looked_at += 1
            if progress is not None:
                progress(looked_at, total)
        damages += sorted(found, key=lambda damage: damage.chunk or 0)
    if (why := ledger_cache.difference(ledger)) is not None:
        damages.append(Damage(Kind.STATE, paths.ledger_cache.name, why))
    return damages


def size_damages(
    paths: RunPaths, arm: ArmProgress, refresh: Callable[[], object] = lambda: None
) -> list[Damage]:
    """Compare the size of every committed chunk with the ledger's.

    Whatever else lies among the chunks, comes or goes does not matter. A chunk that seems wrong is
    looked at once more by its name, after *refresh* has read what the ledger says now.

    Raises
    ------
    StorageError
        If the disk refuses to tell: then nothing is known.
    """
    if not any(arm.committed):
        return []
    sizes = _sizes(paths, arm)
    suspects = [
        chunk
        for chunk, committed in enumerate(arm.committed)
        if committed
        and not arm.lacks_on_purpose(chunk)
        and not arm.accepts_length(chunk, sizes[chunk])
        and _size_damage(paths, arm, chunk) is not None
    ]
    if suspects:
        refresh()
    wanted = [c for c in suspects if arm.committed[c] and not arm.lacks_on_purpose(c)]
    found = (_size_damage(paths, arm, chunk) for chunk in wanted)
    return [damage for damage in found if damage is not None]


def _namer(arm: ArmProgress) -> Callable[[str], int | None]:
    """Give what tells the number of a planned chunk by the name of its file; None for others."""
    before, after = chunk_key(arm.plan, 0).rsplit("/", 1)[1].split("0", 1)

    def chunk_named(name: str) -> int | None:
        number = name.removeprefix(before).removesuffix(after)
        if not number.isdecimal() or name != f"{before}{int(number)}{after}":
            return None
        return int(number) if int(number) < arm.plan.n_chunks else None

    return chunk_named


def _size_damage(paths: RunPaths, arm: ArmProgress, chunk: int) -> Damage | None:
    path = paths.arrays / chunk_key(arm.plan, chunk)
    try:
        with durable.storage_errors(path, "read"):
            status = path.stat()
    except GoneError:
        return _damage(Kind.MISSING, arm, chunk, f"{arm.lengths[chunk]} bytes were committed")
    if not stat.S_ISREG(status.st_mode):
        return _damage(Kind.DAMAGED, arm, chunk, "it is not a file")
    if arm.accepts_length(chunk, status.st_size):
        return None
    detail = f"{arm.lengths[chunk]} bytes were committed, {status.st_size} are there"
    return _damage(Kind.TRUNCATED, arm, chunk, detail)


def still_so(paths: RunPaths, ledger: Ledger, damage: Damage) -> bool:
    """Tell whether a chunk's damage, found some time ago, is there by what the ledger says now."""
    assert damage.arm is not None and damage.chunk is not None
    arm, chunk = ledger.progress.arms[damage.arm], damage.chunk
    if not arm.committed[chunk] or arm.lacks_on_purpose(chunk):
        return False
    return _size_damage(paths, arm, chunk) is not None or any(byte_damages(paths, arm, chunk))


def _damage(kind: Kind, arm: ArmProgress, chunk: int, detail: str) -> Damage:
    path = f"arrays.zarr/{chunk_key(arm.plan, chunk)}"
    return Damage(kind, path, detail, arm.plan.name, chunk)


def _sizes(paths: RunPaths, arm: ArmProgress) -> Sequence[int]:
    """Size of each chunk's file; -1 where there is none, or it is gone when it is looked at."""
    sizes = array("q", [-1]) * arm.plan.n_chunks
    chunk_named = _namer(arm)
    for entry in listing.each(paths.arrays / patches_path(arm.plan.name)):
        chunk = chunk_named(entry.name)
        if chunk is not None:
            with suppress(OSError):
                sizes[chunk] = entry.stat().st_size
    return sizes


def byte_damages(paths: RunPaths, arm: ArmProgress, chunk: int) -> Iterator[Damage]:
    """Compare every byte of one committed chunk with the ledger's checksum.

    Raises
    ------
    StorageError
        If the disk refuses to tell.
    """
    found = stored_bytes(paths, arm, chunk)
    if isinstance(found, Damage):
        yield found


def stored_bytes(paths: RunPaths, arm: ArmProgress, chunk: int) -> NDArray[np.uint8] | Damage:
    """Read one committed chunk's bytes, with its trailing CRC; or say in what they are others.

    Raises
    ------
    StorageError
        If the disk refuses to tell.
    """
    path = paths.arrays / chunk_key(arm.plan, chunk)
    try:
        with durable.refusals(path), open_regular(path) as stream:
            data = np.fromfile(stream, np.uint8)
    except ForeignFileError as error:
        return _damage(Kind.DAMAGED, arm, chunk, error.what)
    except OSError as error:
        return _damage(Kind.DAMAGED, arm, chunk, f"it cannot be read: {error.strerror or error}")
    crc = google_crc32c.value(data[:-CRC_BYTES])
    if crc != int.from_bytes(data[-CRC_BYTES:].tobytes(), "little"):
        return _damage(Kind.DAMAGED, arm, chunk, "its CRC does not match its bytes")
    if not arm.accepts(chunk, len(data), crc):
        return _damage(Kind.DAMAGED, arm, chunk, "it is intact, but not the one that was committed")
    return data


def _superseded_damages(paths: RunPaths) -> Iterator[Damage]:
    for path in listing.matching(paths.superseded, "*.json"):
        where = f"{paths.superseded.name}/{path.name}"
        try:
            manifest = Manifest.load(path)
        except NewerError:
            raise
        except PtyrunError as error:
            yield Damage(Kind.MANIFEST, where, error.why)
        else:
            if manifest.digest != path.stem:
                yield Damage(Kind.MANIFEST, where, "it is not the manifest that its name says")


def _ledger_damages(ledger: Ledger) -> Iterator[Damage]:
    folder = ledger.paths.ledger.name
    for session, digest in ledger.foreign_work().items():
        detail = f"it quotes another manifest, {digest[:12]}…"
        yield Damage(Kind.LEDGER, f"{folder}/{session}{SUFFIX}", detail)
    for line in ledger.bad_lines():
        detail = f"line at byte {line.offset}: {line.why}"
        yield Damage(Kind.LEDGER, f"{folder}/{line.session}{SUFFIX}", detail)


def _metadata_damages(paths: RunPaths, manifest: Manifest) -> Iterator[Damage]:
    for path in zarr_groups(manifest):
        if read_metadata(paths, path) != ZARR_GROUP:
            yield _not_as_planned(path)
    for spec in array_specs(manifest):
        if read_metadata(paths, spec.path) != spec.metadata():
            yield _not_as_planned(spec.path)


def _not_as_planned(path: str) -> Damage:
    where = "/".join(filter(None, ("arrays.zarr", path, "zarr.json")))
    return Damage(Kind.METADATA, where, "it is missing or not as planned")


def zarr_groups(manifest: Manifest) -> list[str]:
    """Zarr groups that a run has, the root first; none if every arm came finished."""
    arrays = [spec.path for spec in array_specs(manifest)]
    arrays += [path for arm in manifest.arms for path in arm.index_sha256]
    parents = {parent for path in arrays for parent in Path(path).parents}
    return sorted("" if parent == Path() else str(parent) for parent in parents)


def _index_damages(paths: RunPaths, manifest: Manifest) -> Iterator[Damage]:
    for arm in manifest.arms:
        for path, sha256 in arm.index_sha256.items():
            try:
                open_index(paths, path, sha256)
                whole = metadata_is_whole(paths, path)
            except DamageError as error:
                yield Damage(Kind.INDEX, f"arrays.zarr/{path}", error.why, arm.name)
            else:
                if not whole:
                    why = "its zarr.json is not as planned"
                    yield Damage(Kind.INDEX, f"arrays.zarr/{path}", why, arm.name)


def _foreign_chunks(paths: RunPaths, ledger: Ledger) -> Iterator[Damage]:
    """Name files among the chunks that belong to no chunk of the plan."""
    for arm in ledger.progress.arms.values():
        if not arm.plan.n_chunks:
            continue
        folder, chunk_named = patches_path(arm.plan.name), _namer(arm)
        foreign = [
            entry.name
            for entry in listing.each(paths.arrays / folder)
            if chunk_named(entry.name) is None
            and entry.name != "zarr.json"
            and not entry.name.endswith(PARTIAL)
        ]
        for name in sorted(foreign):
            yield Damage(Kind.UNEXPECTED, f"arrays.zarr/{folder}/{name}", "not a planned chunk")

"""What can be put right, so that the next run restores the rest?"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import ptyrun
from ptyrun.engine.integrity import Damage, Kind, still_so, zarr_groups
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import Closed, Disregarded, Forgotten, Record
from ptyrun.engine.session_ledger import SessionLedger, begin
from ptyrun.engine.store import ZARR_GROUP, array_specs
from ptyrun.errors import ExitCode, GoneError
from ptyrun.host import durable, partials
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths

CHUNKS = (Kind.MISSING, Kind.TRUNCATED, Kind.DAMAGED)


def forgotten(ledger: Ledger, damages: list[Damage]) -> list[Forgotten]:
    """Say of the chunks among *damages* that they no longer count."""
    found = []
    for damage in damages:
        if damage.kind in CHUNKS and damage.arm is not None and damage.chunk is not None:
            generation = ledger.progress.arms[damage.arm].next_generation(damage.chunk)
            reason = f"{damage.kind}: {damage.detail}"
            found.append(Forgotten(damage.arm, damage.chunk, generation, reason))
    return found


def repair(paths: RunPaths, damages: list[Damage]) -> list[Damage]:
    """Put right what can be, and give chunks that were set aside new attempts.

    Damaged chunks are forgotten in the ledger, its damaged lines disregarded, metadata written
    anew, and foreign chunks and a wrong ``ledger.cache`` removed. Nothing is computed here.

    Returns
    -------
    list of Damage
        What cannot be put right: the manifest, index arrays, sessions of another manifest.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    beyond = [d for d in damages if d.kind in (Kind.MANIFEST, Kind.INDEX)]
    if any(d.kind is Kind.MANIFEST and d.path == paths.manifest.name for d in damages):
        return damages
    manifest = Manifest.of(paths)
    ledger = Ledger(paths, manifest)
    ledger.refresh()
    beyond += [d for d in damages if _is_foreign_session(d, ledger)]
    _restore_metadata(paths, manifest, damages)
    for damage in damages:
        if damage.kind is Kind.STATE:
            _remove(paths.ledger_cache)
        elif damage.kind is Kind.UNEXPECTED or _stands_in_the_way(paths, damage):
            _remove(paths.root / damage.path)
    records: list[Record] = [
        *(Disregarded(*line.identity) for line in ledger.bad_lines()),
        *forgotten(ledger, [d for d in damages if d.kind in CHUNKS and still_so(paths, ledger, d)]),
        *_second_chances(ledger),
    ]
    if records:
        session = begin(ledger, None, Process.current(), ptyrun.__version__)
        _write_down(session, records)
    return beyond


def _stands_in_the_way(paths: RunPaths, damage: Damage) -> bool:
    """Whether a folder stands where a chunk has to be written."""
    return damage.kind in CHUNKS and (paths.root / damage.path).is_dir()


def _remove(path: Path) -> None:
    with suppress(GoneError), durable.storage_errors(path, "remove"):
        partials.remove(path)


def _write_down(session: SessionLedger, records: list[Record]) -> None:
    session.append(records)
    age_s = Process.current().age_s()
    session.close(Closed(int(ExitCode.COMPLETE), "repaired", 0, age_s))


def _is_foreign_session(damage: Damage, ledger: Ledger) -> bool:
    folder = ledger.paths.ledger.name
    return damage.path in {f"{folder}/{session}.jsonl" for session in ledger.foreign_work()}


def _restore_metadata(paths: RunPaths, manifest: Manifest, damages: list[Damage]) -> None:
    wrong = {damage.path for damage in damages if damage.kind is Kind.METADATA}
    documents = dict.fromkeys(zarr_groups(manifest), ZARR_GROUP)
    documents.update({spec.path: spec.metadata() for spec in array_specs(manifest)})
    for path, document in documents.items():
        file = paths.arrays / path / "zarr.json"
        if file.relative_to(paths.root).as_posix() in wrong:
            durable.make_folder(file.parent)
            durable.write_atomic(file, json.dumps(document, indent=2).encode())


def _second_chances(ledger: Ledger) -> list[Forgotten]:
    return [
        Forgotten(name, chunk, arm.next_generation(chunk), "failed; to be tried again")
        for name, arm in ledger.progress.arms.items()
        for chunk in sorted({*arm.failures, *arm.open_starts})
        if not arm.committed[chunk]
    ]

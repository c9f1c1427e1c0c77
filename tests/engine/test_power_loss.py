"""What does a power loss leave? Asked of a model of the disk after every single operation."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from ptyrun.engine.records import BadLineError, Committed, decode
from ptyrun.paths import RunPaths
from tests.engine.children import KILLED, SMALL, die_after_change, spawn
from tests.engine.disk_model import Disk, Operation, Recorder
from tests.engine.toys import planned, toy_manifest, toy_run


def claimed(left: dict[str, bytes], paths: RunPaths) -> Iterator[Committed]:
    """Commits in what is left of the ledger."""
    for path, data in left.items():
        if Path(path).parent == paths.ledger:
            for line in data.split(b"\n"):
                try:
                    record = decode(line)
                except BadLineError:
                    continue
                if isinstance(record, Committed):
                    yield record


def is_true(record: Committed, left: dict[str, bytes], paths: RunPaths) -> bool:
    data = left.get(str(paths.arrays / record.key), b"")
    return len(data) == record.length and f"{google_crc32c.value(data[:-4]):08x}" == record.crc32c


def false_claims(operations: Iterable[Operation], folder: Path, eager: str) -> tuple[int, int]:
    """How many claims there are over all moments, and how many of them are false."""
    disk, paths = Disk(str(folder)), RunPaths(folder)
    # Planned before anything was recorded, and there for good.
    for path in (path for path in folder.rglob("*") if path.is_dir()):
        disk.apply("mkdir", str(path))
        disk.durable_names[str(path)] = disk.names[str(path)]
    false = true = 0
    for operation in operations:
        disk.apply(*operation)
        left = disk.after_power_loss(eager)
        for record in claimed(left, paths):
            false += not is_true(record, left, paths)
            true += 1
    return true, false


def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Operation]:
    planned(folder, toy_manifest(48, 4))
    operations: list[Operation] = []
    with monkeypatch.context() as patch:
        Recorder(folder, operations.append, patch.setattr)
        toy_run(folder, batch_items=8)
    return operations


@pytest.mark.parametrize("eager_ledger", [False, True])
def test_no_power_loss_leaves_a_false_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eager_ledger: bool
) -> None:
    operations = recorded(tmp_path, monkeypatch)
    eager = str(RunPaths(tmp_path).ledger) if eager_ledger else "nothing"
    assert len(operations) > 60
    true, false = false_claims(operations, tmp_path, eager)
    assert true > 12
    assert false == 0


@pytest.mark.parametrize("omitted", ["sync", "sync folder"])
def test_the_model_notices_when_a_sync_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, omitted: str
) -> None:
    operations = recorded(tmp_path, monkeypatch)
    kept = [operation for operation in operations if operation[0] != omitted]
    _, false = false_claims(kept, tmp_path, str(RunPaths(tmp_path).ledger))
    assert false > 0


def lost(root: Path) -> list[str]:
    """What some power loss would make untrue, or take although it was acknowledged."""
    paths = RunPaths(root / "run")
    parts = {"manifest.json", "arrays.zarr/zarr.json"}
    parts |= {f"arrays.zarr/{part}/zarr.json" for part in ("one", "one/patches", "index")}
    parts |= {f"arrays.zarr/index/one/{part}" for part in ("zarr.json", "frames/zarr.json")}
    parts |= {"arrays.zarr/index/one/frames/c.0.0"}
    plan = {str(paths.root / part) for part in parts}
    disk = Disk(str(root))
    found: list[str] = []
    acknowledged: set[int] = set()
    for number, line in enumerate((root / "journal").read_text().splitlines(), 1):
        operation = json.loads(line)
        disk.apply(*operation)
        for eager in ("nothing", str(paths.ledger)):
            left = disk.after_power_loss(eager)
            claims = list(claimed(left, paths))
            false = [record.key for record in claims if not is_true(record, left, paths)]
            found += [f"{key} is claimed and not there" for key in false]
            if operation == ["is planned"] or str(paths.manifest) in left or claims:
                found += [f"{path} is not there" for path in plan - left.keys()]
        if operation[0] == "sync":  # what was appended to the ledger is acknowledged
            acknowledged = {
                record.chunk
                for path, inode in disk.names.items()
                if inode.durable and not inode.is_folder
                for record in claimed({path: inode.durable}, paths)
            }
        kept = {record.chunk for record in claimed(disk.after_power_loss(), paths)}
        found += [f"chunk {chunk} was acknowledged and is lost" for chunk in acknowledged - kept]
        if found:
            return [f"after change {number}, {operation[0]}: {what}" for what in found]
    return [] if len(acknowledged) == SMALL.arms[0].n_chunks else ["not all was acknowledged"]


@pytest.mark.parametrize(
    ("dies", "every"),
    [
        ("plan", 20),
        ("run", 20),
        pytest.param("plan", 1, marks=pytest.mark.slow),
        pytest.param("run", 1, marks=pytest.mark.slow),
    ],
)
def test_after_a_kill_at_any_change_and_another_session_a_power_loss_takes_nothing(
    tmp_path: Path, dies: str, every: int
) -> None:
    kills = 0
    for point in itertools.count(1, every):
        root = tmp_path / str(point)
        root.mkdir()
        words: list[tuple[str, int]] = [("plan", 0), ("run", 0)]
        words.insert(words.index((dies, 0)), (dies, point))
        codes = [ended(root, *each) for each in words]
        assert set(codes) <= {0, KILLED}, codes
        assert lost(root) == [], f"killed in {dies} at change {point}"
        kills += KILLED in codes
        if KILLED not in codes:
            break
    assert kills * every > 40, "too few changes were seen: the test no longer bites"


def ended(root: Path, what: str, die_at: int) -> Any:
    child = spawn(die_after_change, root, what, die_at)
    child.join(300)
    return child.exitcode

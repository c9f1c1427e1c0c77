"""The engine's invariants, by name. Crashes and power loss have files of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import google_crc32c
import pytest

from ptyrun.engine.arm_plan import chunk_key
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import Committed, Opened
from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode, IdentityError
from ptyrun.paths import RunPaths
from tests.engine.toys import ToyWork, decoded, expected, planned, run, toy_manifest, toy_run


def test_i1_a_chunk_that_the_ledger_names_is_on_disk_with_its_checksum(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    toy_run(tmp_path, max_chunks=5)
    named = [r for _, r in read_records(RunPaths(tmp_path)) if isinstance(r, Committed)]
    assert len(named) == 5
    for record in named:
        data = (RunPaths(tmp_path).arrays / record.key).read_bytes()
        assert len(data) == record.length
        assert f"{google_crc32c.value(data[:-4]):08x}" == record.crc32c == data[-1:-5:-1].hex()


def test_i2_every_ledger_file_quotes_the_manifest(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest())
    for _ in range(3):
        toy_run(tmp_path, max_chunks=1)
    opened = [r for _, r in read_records(RunPaths(tmp_path)) if isinstance(r, Opened)]
    assert [each.manifest for each in opened] == [manifest.digest] * 3


@pytest.mark.parametrize(
    "other",
    [toy_manifest(seed=1), toy_manifest(arms={"one": 1.5}), toy_manifest(64, 16)],
    ids=["shared fact", "arm's fact", "chunk size"],
)
def test_i2_a_changed_run_is_refused_and_never_mixed(tmp_path: Path, other: Manifest) -> None:
    planned(tmp_path, toy_manifest())
    toy_run(tmp_path, max_chunks=3)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(IdentityError):
        run(RunPaths(tmp_path), other, ToyWork, window=Window())
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_i3_running_again_never_changes_a_committed_chunk(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest())
    paths = RunPaths(tmp_path)
    toy_run(tmp_path, max_chunks=3)
    files = [paths.arrays / chunk_key(manifest.arms[0], chunk) for chunk in range(3)]
    before = [(path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in files]
    for _ in range(2):
        toy_run(tmp_path)
    after = [(path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in files]
    assert after == before


def test_i4_everything_else_can_be_deleted_without_losing_computation(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest())
    paths = RunPaths(tmp_path)
    toy_run(tmp_path, max_chunks=5)
    for path in tmp_path.iterdir():
        if path not in (paths.manifest, paths.ledger, paths.arrays):
            shutil.rmtree(path)
    outcome = toy_run(tmp_path)
    assert (outcome.stop, outcome.chunks_done) == (ExitCode.COMPLETE, 3)
    assert decoded(tmp_path) == expected(manifest)


@pytest.mark.parametrize("chunk_items", [1, 7, 16, 160, 161])
def test_i5_values_do_not_depend_on_the_chunk_size(tmp_path: Path, chunk_items: int) -> None:
    manifest = planned(tmp_path, toy_manifest(161, chunk_items))
    assert toy_run(tmp_path).stop is ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(toy_manifest(161, 1)) == expected(manifest)


def test_i5_twenty_windows_end_in_the_bytes_of_one(tmp_path: Path) -> None:
    one, twenty = tmp_path / "one", tmp_path / "twenty"
    manifest = toy_manifest(160, 8)
    for folder in (one, twenty):
        planned(folder, manifest)
    toy_run(one)
    for window in range(20):
        outcome = toy_run(twenty, max_chunks=1)
        assert (outcome.chunks_done, outcome.chunks_left) == (1, 19 - window)
    keys = [chunk_key(manifest.arms[0], chunk) for chunk in range(20)]
    for key in keys:
        stored = [(RunPaths(folder).arrays / key).read_bytes() for folder in (one, twenty)]
        assert stored[0] == stored[1]
    ledger = open_ledger(RunPaths(twenty), manifest)
    assert len(ledger.sessions) == 20

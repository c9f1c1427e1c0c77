"""Disks that refuse: full (a small file system in memory) and read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from ptyrun.engine.integrity import verify
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.store import ChunkWriter
from ptyrun.errors import ExitCode, StorageError
from ptyrun.host import durable
from ptyrun.paths import RunPaths
from tests.engine.toys import decoded, expected, outputs_of, planned, toy_manifest, toy_run


def mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("mounting a small file system takes root and mount(8)")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("shape", [(32, 32), (4, 4)], ids=["large chunks", "small chunks"])
def test_a_full_disk_is_named_claims_nothing_false_and_the_run_goes_on_later(
    small_disk: Path, shape: tuple[int, int]
) -> None:
    manifest = planned(small_disk / "run", toy_manifest(160, 8, shape=shape))
    paths = RunPaths(small_disk / "run")
    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk)
    room = 8 * 8 * shape[0] * shape[1] * 5 // 2 + 20_000
    ballast.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - room)))
    with pytest.raises(StorageError, match="disk is full"):
        toy_run(paths.root, batch_items=8)
    done = open_ledger(paths, manifest).progress.chunks_committed
    assert 0 < done < 20
    assert verify(paths) == []
    ballast.unlink()
    assert toy_run(paths.root).stop is ExitCode.COMPLETE
    assert decoded(paths.root) == expected(manifest)


def test_what_fitted_of_a_group_counts(small_disk: Path) -> None:
    manifest = planned(small_disk / "run", toy_manifest(160, 8, shape=(64, 64)))
    arm = manifest.arms[0]
    writer = ChunkWriter(RunPaths(small_disk / "run"), arm, "none")
    chunk = outputs_of(range(8), (64, 64))
    stored, refusal = writer.write(dict.fromkeys(range(20), chunk))
    writer.close()
    assert refusal is not None and "disk is full" in str(refusal)
    assert 0 < len(stored) < 20
    for each in stored.values():
        body = (RunPaths(small_disk / "run").arrays / each.key).read_bytes()
        assert (len(body), body[: chunk.nbytes]) == (each.length, chunk.tobytes())


def test_a_read_only_folder_is_named_and_still_can_be_read(small_disk: Path) -> None:
    manifest = planned(small_disk / "run", toy_manifest())
    paths = RunPaths(small_disk / "run")
    toy_run(paths.root, max_chunks=2)
    mount("-o", "remount,ro", str(small_disk))
    with pytest.raises(StorageError, match="read-only"):
        toy_run(paths.root)
    assert open_ledger(paths, Manifest.load(paths.manifest)).progress.chunks_committed == 2
    assert verify(paths) == []
    mount("-o", "remount,rw", str(small_disk))
    assert toy_run(paths.root).stop is ExitCode.COMPLETE
    assert decoded(paths.root) == expected(manifest)


def test_of_a_group_that_the_disk_refused_in_part_what_was_written_counts_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(tmp_path, toy_manifest(64, 8))
    written = durable.write_partial

    def full_once(path: Path, parts: Iterable[bytes | memoryview]) -> Path:
        if path.name == "c.2.0.0":
            monkeypatch.setattr(durable, "write_partial", written)
            raise StorageError("cannot write it", why="the disk is full", do="free space")
        return written(path, parts)

    monkeypatch.setattr(durable, "write_partial", full_once)
    said: list[str] = []
    with pytest.raises(StorageError, match="disk is full"):
        toy_run(tmp_path, batch_items=64, progress=lambda event: said.append(event.kind))
    ledger = open_ledger(RunPaths(tmp_path), Manifest.load(RunPaths(tmp_path).manifest))
    assert not ledger.progress.arms["one"].committed[2]
    assert said.count("committed") == ledger.progress.chunks_committed

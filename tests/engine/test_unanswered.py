"""What is made of a disk that does not answer now? An error: neither damage nor "nothing there"."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptyrun.engine import ledger, ledger_cache
from ptyrun.engine.claims import Claims
from ptyrun.engine.integrity import Kind, byte_damages, verify
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.store import create_arrays
from ptyrun.errors import StorageError
from ptyrun.host import checksums, durable, listing
from ptyrun.paths import RunPaths
from tests.engine.test_publication import NEW, OLD, found, publication, put
from tests.engine.toys import planned, toy_manifest, toy_run

ANSWERS = [errno.EACCES, errno.ESTALE, errno.EMFILE]


def refuse(
    monkeypatch: pytest.MonkeyPatch, call: str, code: int, refused: Callable[[Path], bool]
) -> None:
    """Let the system refuse *call* of the module `os` for some paths."""
    real = getattr(os, call)

    def refusing(path: Any, *args: Any, **options: Any) -> Any:
        if isinstance(path, str | Path) and refused(Path(path)):
            raise OSError(code, os.strerror(code), str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(os, call, refusing)


@pytest.mark.parametrize("code", ANSWERS)
def test_results_that_cannot_be_listed_are_not_taken_for_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    put(tmp_path, OLD)
    there = publication(tmp_path)
    fresh = there.begin()
    for name, text in NEW.items():
        durable.make_folder((fresh / name).parent)
        durable.write_atomic(fresh / name, text.encode())
    checksums.write(fresh, [fresh / name for name in NEW])
    fresh.rename(fresh.parent / there.name)
    with monkeypatch.context() as patch:
        refuse(patch, "scandir", code, lambda path: path == fresh.parent / there.name / "objects")
        with pytest.raises(StorageError):
            there.settle()
    there.settle()
    assert found(tmp_path) == NEW
    assert list(checksums.problems(tmp_path)) == []


@pytest.mark.parametrize("code", ANSWERS)
def test_a_list_of_checksums_that_cannot_be_read_now_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    put(tmp_path, OLD)
    refuse(monkeypatch, "open", code, lambda path: path.name == checksums.NAME)
    with pytest.raises(StorageError):
        list(checksums.problems(tmp_path))


@pytest.mark.parametrize("code", ANSWERS)
def test_a_chunk_that_cannot_be_read_now_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    planned(tmp_path, toy_manifest(16, 4))
    toy_run(tmp_path)
    paths = RunPaths(tmp_path)
    arm = open_ledger(paths, Manifest.load(paths.manifest)).progress.arms["one"]
    refuse(monkeypatch, "open", code, lambda path: path.name == "c.1.0.0")
    with pytest.raises(StorageError):
        list(byte_damages(paths, arm, 1))


def test_a_chunk_that_lies_on_a_bad_sector_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(tmp_path, toy_manifest(16, 4))
    toy_run(tmp_path)
    refuse(monkeypatch, "open", errno.EIO, lambda path: path.name == "c.1.0.0")
    (damage,) = verify(RunPaths(tmp_path))
    assert (damage.kind, damage.chunk) == (Kind.DAMAGED, 1)


@pytest.mark.parametrize("code", [*ANSWERS, errno.EIO])
def test_chunks_whose_metadata_cannot_be_read_are_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    manifest = planned(tmp_path, toy_manifest(16, 4))
    toy_run(tmp_path)
    paths = RunPaths(tmp_path)
    metadata = paths.arrays / "one/patches/zarr.json"
    real = Path.open

    def refusing(path: Path, *args: Any, **options: Any) -> Any:
        if path == metadata:
            raise OSError(code, os.strerror(code), str(path))
        return real(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refusing)
        with pytest.raises(StorageError):
            create_arrays(paths, manifest, replace=True)
    assert verify(paths) == []


@pytest.mark.parametrize("code", ANSWERS)
def test_sessions_of_an_earlier_plan_are_not_called_foreign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    planned(tmp_path, toy_manifest(16, 4))
    toy_run(tmp_path)
    paths = RunPaths(tmp_path)
    ledger.supersede(paths, Manifest.load(paths.manifest))
    manifest = toy_manifest(16, 4, shared="another")
    manifest.save(paths.manifest)
    open_ledger(paths, manifest)
    refuse(monkeypatch, "scandir", code, lambda path: path == paths.superseded)
    with pytest.raises(StorageError):
        open_ledger(paths, manifest)


@pytest.mark.parametrize("find", [listing.matching, listing.files_below, listing.folders_below])
def test_a_folder_that_is_not_there_is_empty(tmp_path: Path, find: Callable[..., Any]) -> None:
    assert list(find(tmp_path / "none")) == []


def test_files_and_folders_are_found_however_deep_and_links_are_not_followed(
    tmp_path: Path,
) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/one").touch()
    (tmp_path / "two").touch()
    (tmp_path / "round").symlink_to(tmp_path)
    assert list(listing.files_below(tmp_path)) == [tmp_path / "a/b/one", tmp_path / "two"]
    assert list(listing.folders_below(tmp_path)) == [tmp_path / "a", tmp_path / "a/b"]
    assert listing.matching(tmp_path, "t*", "r*") == [tmp_path / "round", tmp_path / "two"]


def test_what_an_ended_session_left_among_the_claims_is_gone_with_the_next_one(
    tmp_path: Path,
) -> None:
    for name in ("000001-host-1-00000000.lock", "000002-host-2-00000000.claim", "plan.lock"):
        (tmp_path / name).touch()
    second = Claims(tmp_path, "000003-host-3-00000000")
    third = Claims(tmp_path, "000004-host-4-00000000")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {
        f"{each}.lock" for each in ("plan", "000003-host-3-00000000", "000004-host-4-00000000")
    }
    third.close()
    second.close()


@pytest.mark.parametrize("code", ANSWERS)
@pytest.mark.parametrize("name", ["manifest.json", "ledger.cache"])
def test_verify_names_no_file_as_damaged_that_cannot_be_read_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, name: str
) -> None:
    monkeypatch.setattr(ledger_cache, "CACHE_WORTH_BYTES", 0)
    planned(tmp_path, toy_manifest(16, 4))
    toy_run(tmp_path)
    paths = RunPaths(tmp_path)
    assert paths.ledger_cache.exists()
    real = Path.read_bytes

    def refusing(path: Path) -> bytes:
        if path.name == name:
            raise OSError(code, os.strerror(code), str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refusing)
    refuse(monkeypatch, "open", code, lambda path: path.name == name)
    if name == "manifest.json":
        with pytest.raises(StorageError):
            verify(paths)
    else:
        assert verify(paths) == []

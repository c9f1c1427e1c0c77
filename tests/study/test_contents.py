"""Is a file read once, as long as it stays what it was?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ptyrun.host import checksums
from ptyrun.study.contents import Contents


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which files are read."""
    found: list[Path] = []
    real = checksums.file_sha256

    def noted(path: Path) -> str:
        found.append(path)
        return real(path)

    monkeypatch.setattr(checksums, "file_sha256", noted)
    return found


@pytest.mark.parametrize("has_cache", [True, False])
def test_a_file_is_read_once(
    tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch, has_cache: bool
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir() if has_cache else cache.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    path = tmp_path / "file"
    path.write_text("1")
    contents = Contents()
    digest = contents.digest(path)
    assert digest is not None
    assert contents.digest(path, digest) == digest
    assert len(reads) == 1
    assert Contents().digest(path, digest) == digest
    assert len(reads) == (1 if has_cache else 2)


def test_a_change_that_leaves_size_and_mtime_is_seen(tmp_path: Path, reads: list[Path]) -> None:
    path = tmp_path / "file"
    path.write_text("1")
    before = path.stat()
    contents = Contents()
    digest = contents.digest(path)
    assert digest is not None
    path.write_text("2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert contents.digest(path, digest) != digest


def test_names_and_bytes_of_a_folder_count(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    contents = Contents()
    assert contents.digest(folder) is None, "an empty one holds nothing"
    (folder / "a").write_text("1")
    found = {contents.digest(folder)}
    (folder / "a").rename(folder / "b")
    found.add(contents.digest(folder))
    (folder / "b").write_text("2")
    found.add(contents.digest(folder))
    assert len(found) == 3
    assert contents.digest(tmp_path / "nothing") is None
    assert contents.digest(folder / "b" / "below") is None


def test_a_file_that_a_record_knows_is_not_read_by_whoever_remembers_nothing(
    tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ptyrun.study.state import State, survey
    from tests.study.hubs import done, small_study

    stages = done(small_study(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of somebody new"))
    reads.clear()
    assert {each.state for each in survey(stages).values()} == {State.DONE}
    assert reads == []
    view = stages.hub.path("data/phase_d/dose_1000/dense/train.npz")
    data = view.read_bytes()
    view.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    found = survey(stages)["overlap-dose_1000-dense-train"]
    assert found.state is State.STALE
    assert reads == [view], "a file of another change time is read, and nothing else"

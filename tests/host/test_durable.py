from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ptyrun.errors import GoneError, StorageError
from ptyrun.host import durable


def refuse(number: int) -> None:
    raise OSError(number, os.strerror(number))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_atomic_write_leaves_the_new_bytes_and_nothing_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    durable.write_atomic(path, b"old")
    durable.write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["document.json"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission"),
        (errno.ENOLCK, "no locks"),
        (errno.ENOENT, "renamed, moved or deleted"),
        (errno.ENAMETOOLONG, "too long"),
        (errno.EOWNERDEAD, "[Oo]wner died"),  # nothing is said of it here: the system's words
    ],
)
def test_what_the_disk_refuses_is_named(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(StorageError, match=words), durable.storage_errors(tmp_path):
        refuse(number)


def test_whatever_the_disk_says_is_explained(tmp_path: Path) -> None:
    for number in errno.errorcode:
        with pytest.raises(StorageError) as refused, durable.storage_errors(tmp_path):
            refuse(number)
        what, why, do = refused.value.args
        assert str(tmp_path) in what and why and do
    with pytest.raises(StorageError, match="OSError"), durable.storage_errors(tmp_path):
        raise OSError


def test_what_is_gone_is_told_from_other_refusals(tmp_path: Path) -> None:
    with pytest.raises(GoneError), durable.storage_errors(tmp_path):
        refuse(errno.ENOENT)


def test_a_path_of_any_bytes_is_named_in_characters_that_can_be_written() -> None:
    path = Path(os.fsdecode(b"/scan-\xff"))
    with pytest.raises(StorageError) as refused, durable.storage_errors(path):
        refuse(errno.EACCES)
    assert "/scan-\\xff" in str(refused.value).encode().decode()


def test_a_refused_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "document.json"
    durable.write_atomic(path, b"old")
    monkeypatch.setattr(os, "write", lambda handle, data: refuse(errno.ENOSPC))
    with pytest.raises(StorageError, match="disk is full"):
        durable.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["document.json"]


def test_a_refused_append_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def half(handle: int, data: memoryview) -> int:
        if len(data) > 2:
            return write(handle, data[:2])
        raise OSError(errno.ENOSPC, "full")

    with durable.AppendFile(tmp_path / "lines") as file:
        file.append(b"whole\n")
        monkeypatch.setattr(os, "write", half)
        with pytest.raises(StorageError):
            file.append(b"torn")
    assert (tmp_path / "lines").read_bytes() == b"whole\n"


def test_nobody_appends_to_what_another_began(tmp_path: Path) -> None:
    durable.AppendFile(tmp_path / "lines").close()
    with pytest.raises(StorageError, match="something else stands"):
        durable.AppendFile(tmp_path / "lines")


def test_a_file_that_was_deleted_or_replaced_takes_no_claim(tmp_path: Path) -> None:
    for harm in (Path.unlink, lambda path: path.rename(tmp_path / "moved")):
        with durable.AppendFile(tmp_path / "lines") as file:
            file.append(b"1\n")
            file.sync()
            harm(tmp_path / "lines")
            file.append(b"2\n")
            with pytest.raises(GoneError):
                file.sync()
            (tmp_path / "lines").touch()
            with pytest.raises(GoneError):
                file.sync()
        (tmp_path / "lines").unlink()


def test_a_refused_hint_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(path: Path, data: bytes) -> None:
        path.touch()
        refuse(errno.ENOSPC)

    monkeypatch.setattr(Path, "write_bytes", torn)
    with pytest.raises(StorageError):
        durable.write_hint(tmp_path / "hint", b"x")
    assert names(tmp_path) == []


def test_a_new_folders_parent_is_synced_and_once_that_of_one_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(durable, "fsync_folder", synced.append)
    durable.make_folder(tmp_path / "a/b")
    assert synced == [tmp_path.parent, tmp_path, tmp_path / "a"]
    durable.make_folder(tmp_path / "a/b")
    (tmp_path / "left").mkdir()  # as a killed process leaves it
    for _ in range(2):
        durable.make_folder(tmp_path / "left")
    assert synced[3:] == [tmp_path]


def test_a_file_where_a_folder_must_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a file stands where a folder must be"):
        durable.make_folder(tmp_path / "file" / "folder")


def test_a_current_folder_that_is_gone_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        Path("x").absolute()
    said = str(durable.explanation(caught.value))
    monkeypatch.chdir(tmp_path)
    assert said.startswith("the current folder is gone\n")
    assert "a file that was open" in str(durable.explanation(caught.value))


def test_many_files_and_folders_are_synced_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    folders[-1].mkdir(parents=True)
    file = folders[-1] / "file"
    file.write_bytes(b"content")
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    durable.sync_all([*folders, file])
    monkeypatch.setattr(os, "fsync", fsync)
    assert sorted(synced) == sorted(path.stat().st_ino for path in [*folders, file])
    with pytest.raises(GoneError):
        durable.sync_all([file, tmp_path / "gone"])

"""Are folders deleted and walked through, however deep they are?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ptyrun.host import trees

DEEP = 1200


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def deepen(folder: Path, depth: int = DEEP) -> None:
    """Put folders into one another, deeper than a path can say."""
    folder.mkdir(exist_ok=True)
    with inside(folder):
        for _ in range(depth):
            Path("a").mkdir()
            Path("file").touch()
            os.chdir("a")


@pytest.mark.parametrize("deleted", [trees.remove, trees.discard])
def test_a_folder_of_any_depth_is_deleted(deleted: Callable[[Path], None], tmp_path: Path) -> None:
    deepen(tmp_path / "deep")
    n_open = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0  # noqa: PTH208
    deleted(tmp_path / "deep")
    assert not [*tmp_path.iterdir()]
    assert not n_open or len(os.listdir("/proc/self/fd")) == n_open  # noqa: PTH208


def test_a_folder_of_many_is_deleted(tmp_path: Path) -> None:
    for first in range(20):
        for second in range(20):
            (tmp_path / f"wide/{first}/{second}").mkdir(parents=True)
            (tmp_path / f"wide/{first}/{second}.txt").touch()
    trees.remove(tmp_path / "wide")
    assert not [*tmp_path.iterdir()]


def test_what_links_in_a_folder_lead_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "mine").touch()
    gone = tmp_path / "gone"
    gone.mkdir()
    (gone / "link").symlink_to(kept)
    (gone / "nowhere").symlink_to("nothing")
    trees.remove(gone)
    assert [*tmp_path.iterdir()] == [kept]
    assert (kept / "mine").exists()


def test_a_link_to_a_folder_is_no_folder(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "link").symlink_to(kept)
    with pytest.raises(OSError, match="link"):
        trees.remove(tmp_path / "link")
    trees.discard(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()


def test_what_is_not_there_is_an_error_to_who_asks_for_it(tmp_path: Path) -> None:
    trees.discard(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        trees.remove(tmp_path / "nothing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may delete everything")
def test_what_cannot_be_deleted_stays_and_the_rest_goes(tmp_path: Path) -> None:
    for name in ("first", "kept", "last"):
        (tmp_path / "folder" / name).mkdir(parents=True)
        (tmp_path / "folder" / name / "file").touch()
    (tmp_path / "folder/kept").chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            trees.remove(tmp_path / "folder")
        trees.discard(tmp_path / "folder")
        assert [path.name for path in (tmp_path / "folder").iterdir()] == ["kept"]
    finally:
        (tmp_path / "folder/kept").chmod(0o700)


def deny(folder: Path) -> None:
    """Leave folders that their owner may not list, go into or change, one of them in another."""
    for name, mode in (("listed", 0o400), ("entered/inner", 0o500), ("none/inner", 0)):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").touch()
        (folder / name).chmod(mode)
    (folder / "none").chmod(0)
    folder.chmod(0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may delete everything")
def test_what_foreign_code_left_is_deleted_whatever_its_modes_forbid(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    kept.chmod(0o500)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/link").symlink_to(kept)
    deny(tmp_path / "folder")
    trees.discard(tmp_path / "folder", whatever_modes=True)
    assert [*tmp_path.iterdir()] == [kept]
    assert kept.stat().st_mode & 0o777 == 0o500


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_it_is_so_for_who_is_not_root(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    nobody = 65534
    os.chown(tmp_path, nobody, nobody)
    os.chown(tmp_path / "folder", nobody, nobody)
    if (child := os.fork()) == 0:
        with suppress(BaseException):
            here = os.open(tmp_path, os.O_RDONLY)
            os.setresgid(nobody, nobody, nobody)
            os.setresuid(nobody, nobody, nobody)
            os.fchdir(here)
            deny(Path("folder"))
            trees.discard(Path("folder"), whatever_modes=True)
        os._exit(0)
    os.waitpid(child, 0)
    assert not [*tmp_path.iterdir()]


def test_a_walk_goes_as_deep_as_that(tmp_path: Path) -> None:
    most = DEEP
    deepen(tmp_path / "deep", most)
    found = [*trees.walk(tmp_path / "deep")]
    assert len(found) == most + 1
    assert found[1] == (tmp_path / "deep/a", ["a"], ["file"])
    trees.remove(tmp_path / "deep")


def test_a_walk_leaves_out_what_was_taken_out(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "one")
    seen = []
    for folder, folders, others in trees.walk(tmp_path):
        seen.append(folder)
        assert folder != tmp_path or others == ["link"]
        folders[:] = [name for name in folders if name != "one"]
    assert seen == [tmp_path, tmp_path / "two", tmp_path / "two/inner"]

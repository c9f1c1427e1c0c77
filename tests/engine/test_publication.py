"""A set of files replaces another one, or does not; a process that dies leaves nothing between."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from ptyrun.engine.publication import Publication
from ptyrun.errors import StorageError
from ptyrun.host import checksums, durable
from tests.engine.children import KILLED, die_at_changes, spawn

OLD = {"results.json": "old", "objects/a/c.0": "old a", "objects/b/c.0": "old b"}
NEW = {"results.json": "new", "objects/a/c.0": "new a", "objects/c/c.0": "new c", "more.csv": "x"}


def publication(target: Path) -> Publication:
    return Publication(target / "unpublished", "set", target)


def put(target: Path, files: dict[str, str]) -> None:
    """Make a set and let it take the place of what is there."""
    there = publication(target)
    fresh = there.begin()
    for name, text in files.items():
        durable.make_folder((fresh / name).parent)
        durable.write_atomic(fresh / name, text.encode())
    checksums.write(fresh, [fresh / name for name in files])
    there.publish(fresh)


def put_and_die(target: Path, files: dict[str, str], survives: int) -> None:
    die_at_changes(target, itertools.count(survives, -1), torn=False)
    put(target, files)


def found(target: Path) -> dict[str, str]:
    """What lies in place; what is vouched for is whole."""
    return {
        path.relative_to(target).as_posix(): path.read_text()
        for path in sorted(target.rglob("*"))
        if path.is_file() and path.name != checksums.NAME and "unpublished" not in path.parts
    }


def test_a_new_set_takes_the_place_of_the_old_one_and_nothing_is_left_over(tmp_path: Path) -> None:
    put(tmp_path, OLD)
    (tmp_path / "foreign").write_text("mine")
    put(tmp_path, NEW)
    assert found(tmp_path) == {**NEW, "foreign": "mine"}
    assert list(checksums.problems(tmp_path)) == []
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert not names & {"unpublished", "objects/b"}


def test_all_names_are_on_disk_for_good_before_the_list_vouches_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, OLD)
    owed: set[Path] = set()
    sync, replace, mkdir = durable.sync_file, Path.replace, Path.mkdir

    def synced(path: Path) -> None:
        owed.discard(path)
        sync(path)

    def renamed(old: Path, new: Path) -> Path:
        if new == tmp_path / checksums.NAME:
            assert not owed
        elif "unpublished" not in new.parts:
            owed.add(new.parent)
        return replace(old, new)

    def made(path: Path, mode: int = 0o777, **options: bool) -> None:
        if "unpublished" not in path.parts and not path.exists():
            owed.add(path.parent)
        mkdir(path, mode, **options)

    monkeypatch.setattr(durable, "sync_file", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    monkeypatch.setattr(Path, "mkdir", made)
    put(tmp_path, NEW)
    assert found(tmp_path) == NEW


@pytest.mark.skipif(sys.platform != "linux", reason="dies by /proc and os._exit, on Linux")
def test_a_crash_before_any_change_of_the_disk_leaves_the_old_set_or_the_new(
    tmp_path: Path,
) -> None:
    kept, ended = [], False
    for first in itertools.count(0, 8):
        points = {n: tmp_path / f"victim-{n}" for n in range(first, first + 8)}
        for victim in points.values():
            put(victim, OLD)
        children = {n: spawn(put_and_die, victim, NEW, n) for n, victim in points.items()}
        for n, child in children.items():
            child.join(120)
            assert child.exitcode in (0, KILLED), f"crash point {n}"
            ended = ended or child.exitcode == 0
            victim = points[n]
            if not publication(victim).is_pending:
                assert list(checksums.problems(victim)) == [], f"crash point {n}"
            publication(victim).settle()
            assert found(victim) in (OLD, NEW), f"crash point {n}"
            assert list(checksums.problems(victim)) == [], f"crash point {n}"
            kept.append(found(victim) == OLD)
            publication(victim).begin().rmdir()
            assert [path.name for path in (victim / "unpublished").iterdir()] == []
        if ended:
            break
    assert kept == sorted(kept, reverse=True), "the old set came back"
    assert kept.count(True) > 20
    assert kept.count(False) > 15, "the hook saw too few changes: the test no longer bites"


def test_a_set_whose_list_is_damaged_is_not_published(tmp_path: Path) -> None:
    put(tmp_path, OLD)
    ready = tmp_path / "unpublished/set"
    ready.mkdir(parents=True)
    (ready / "results.json").write_text("half")
    (ready / checksums.NAME).write_text("half a list")
    publication(tmp_path).settle()
    assert found(tmp_path) == OLD


def test_a_set_whose_list_cannot_be_read_back_is_an_error_and_the_old_set_stays(
    tmp_path: Path,
) -> None:
    put(tmp_path, OLD)
    fresh = publication(tmp_path).begin()
    durable.write_atomic(fresh / "results.json", b"new")
    checksums.write(fresh, [fresh / "results.json"])
    (fresh / checksums.NAME).write_bytes((fresh / checksums.NAME).read_bytes()[:-1])
    with pytest.raises(StorageError, match="cannot be read back"):
        publication(tmp_path).publish(fresh)
    assert found(tmp_path) == OLD
    assert list(checksums.problems(tmp_path)) == []


def test_a_list_that_names_a_file_elsewhere_takes_nothing_away(tmp_path: Path) -> None:
    run = tmp_path / "run"
    put(run, OLD)
    (tmp_path / "precious").write_text("mine")
    lines = f"{'0' * 64}  ../precious\n"
    import hashlib

    head = f"# SHA-256 of the lines below: {hashlib.sha256(lines.encode()).hexdigest()}\n"
    (run / checksums.NAME).write_text(head + lines)
    assert [why for _, why in checksums.problems(run) if "outside" in why]
    put(run, NEW)
    assert (tmp_path / "precious").read_text() == "mine"


def test_what_an_ended_process_left_half_made_is_swept(tmp_path: Path) -> None:
    put(tmp_path, OLD)
    (publication(tmp_path).begin() / "half").write_text("made")
    publication(tmp_path).sweep()
    assert found(tmp_path) == OLD
    assert not (tmp_path / "unpublished").exists()

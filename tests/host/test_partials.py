"""Are dead writers' half-written files swept, and living ones' left, whatever a clock says?"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ptyrun.engine.sweep import sweep
from ptyrun.host import partials
from ptyrun.paths import RunPaths
from tests.engine.children import spawn
from tests.engine.toys import planned, toy_manifest, toy_run

DAY_S = 86400.0


def leave_partial(folder: Path, name: str) -> None:
    partials.name(folder / name).touch()


def left_by_a_dead_process(folder: Path, name: str) -> None:
    child = spawn(leave_partial, folder, name)
    child.join()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("age_s", [-1e9, 0, 1e9])
def test_a_living_writers_file_is_never_swept(tmp_path: Path, age_s: float) -> None:
    mine = partials.name(tmp_path / "c.0.0.0")
    mine.touch()
    assert partials.is_alive(mine.name)
    assert partials.sweep(tmp_path, time.time() + age_s) == 0
    assert mine.exists()


@pytest.mark.parametrize("age_s", [-1e9, 0, 1e9])
def test_a_dead_writers_file_is_swept_at_once(tmp_path: Path, age_s: float) -> None:
    left_by_a_dead_process(tmp_path, "c.0.0.0")
    assert partials.sweep(tmp_path, time.time() + age_s) == 1
    assert names(tmp_path) == []


def test_strangers_are_believed_for_a_day_by_the_file_systems_clock(tmp_path: Path) -> None:
    strangers = ["x.partial", "x.0123456789ab-7-100.01234567.partial", ".k.0f.partial"]
    for name in strangers:
        (tmp_path / name).touch()
    now_s = (tmp_path / "x.partial").stat().st_mtime
    assert partials.sweep(tmp_path, now_s + DAY_S - 60) == 0
    assert partials.sweep(tmp_path, now_s + DAY_S + 60) == len(strangers)


def test_a_reused_pid_is_another_process(tmp_path: Path) -> None:
    mine = partials.name(tmp_path / "x")
    head, pid, rest = mine.name.split("-", 2)
    start, tail = rest.split(".", 1)
    assert partials.is_alive(f"{head}-{pid}-{int(start) - 500}.{tail}") is False


def test_nothing_that_lies_around_ends_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "dangling.partial").symlink_to("/nowhere")
    (tmp_path / "loop.partial").symlink_to("loop.partial")
    (tmp_path / "folder.partial").mkdir()
    (tmp_path / "folder.partial" / "inside").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "\udcff.partial").touch()
    os.mkfifo(tmp_path / "pipe.partial")
    target = tmp_path / "kept"
    target.mkdir()
    (tmp_path / "link.partial").symlink_to(target)
    assert partials.sweep(tmp_path, time.time() + 2 * DAY_S) == 6
    assert names(tmp_path) == ["kept", "notes.txt"]
    assert partials.sweep(tmp_path / "none", 0.0) == 0
    assert partials.sweep(tmp_path / "notes.txt", 0.0) == 0


def test_a_sweep_that_the_disk_refuses_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_by_a_dead_process(tmp_path, "x")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(partials, "remove", refuse)
    assert partials.sweep(tmp_path, 0.0) == 0


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link", "link"])
def test_the_cache_of_earlier_versions_is_swept_and_ends_no_session(
    tmp_path: Path, kind: str
) -> None:
    planned(tmp_path, toy_manifest())
    toy_run(tmp_path, max_chunks=2)
    kept = tmp_path.parent / f"{tmp_path.name}-kept"
    kept.mkdir()
    for name in ("state.zarr", "state.zarr.01234567.partial"):
        left = tmp_path / name
        if kind == "folder":
            (left / "one").mkdir(parents=True)
        elif kind == "file":
            left.touch()
        else:
            left.symlink_to(kept if kind == "link" else "/nowhere")
        os.utime(left, (1, 1), follow_symlinks=False)
    assert toy_run(tmp_path).chunks_done == 6
    assert not [name for name in names(tmp_path) if name.startswith("state.zarr")]
    assert kept.is_dir()


def test_a_sweep_of_a_run_leaves_other_peoples_files(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    for name in ("download.partial", "results.json.partial", "my.results.json.partial"):
        (tmp_path / name).touch()
    assert sweep(RunPaths(tmp_path), ["one"], time.time() + 2 * DAY_S) == 1
    assert not (tmp_path / "results.json.partial").exists()

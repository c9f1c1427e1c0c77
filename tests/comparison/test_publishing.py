"""Is a set of files taken for damaged, or taken away, while another process replaces it?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.comparison import leftovers, publishing
from ptyrun.comparison.kept import Finding, Kept
from ptyrun.engine.integrity import Level
from ptyrun.engine.publication import Publication
from ptyrun.host import checksums, durable
from ptyrun.host.locks import Lock
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT
from ptyrun.stages.verify import verify
from tests.engine.toys import planned, toy_manifest

LOCK = "finalize.lock"


def made(paths: RunPaths, text: str) -> tuple[Publication, Path]:
    """A set of two files that has yet to be published."""
    publication = publishing.results(paths)
    fresh = publication.begin()
    for name in ("results.json", "comparison_metrics.csv"):
        durable.write_atomic(fresh / name, f"{text} {name}".encode())
    checksums.write(fresh, [*fresh.iterdir()])
    return publication, fresh


def put(paths: RunPaths, text: str) -> Publication:
    publication, fresh = made(paths, text)
    publication.publish(fresh)
    return publication


def half_moved(paths: RunPaths, text: str) -> Publication:
    """As a process leaves it that is ended after it moved the first file."""
    publication, fresh = made(paths, text)
    durable.publish(fresh, paths.unpublished / publication.name)
    durable.publish(paths.unpublished / publication.name / "results.json", paths.results)
    return publication


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    found = RunPaths(tmp_path)
    durable.make_folder(found.claims)
    return found


def problems_while(
    paths: RunPaths, publication: Publication, change: Callable[[], object]
) -> list[tuple[str, str]] | None:
    """What is found where the files change after the first look at their list."""
    left = [change]

    def look(folder: Path) -> list[tuple[str, str]]:
        listed = checksums.vouched(folder)
        if left:
            left.pop()()
        return [(n, "changed") for n, d in listed.items() if checksums.file_sha256(folder / n) != d]

    return publishing.problems(paths, publication, look)


def test_results_that_are_replaced_during_a_look_are_looked_at_again(paths: RunPaths) -> None:
    publication = put(paths, "old")
    assert problems_while(paths, publication, lambda: put(paths, "new")) == []
    assert problems_while(paths, publication, lambda: paths.results.write_text("x")) != []


def test_results_that_a_process_moves_now_are_waited_for(paths: RunPaths) -> None:
    publication = put(paths, "old")
    lock = Lock(paths.claims / LOCK)

    def moved() -> None:
        publication.settle()
        lock.release()

    def begins() -> None:
        assert lock.try_acquire()
        half_moved(paths, "new")
        threading.Timer(0.3, moved).start()

    assert problems_while(paths, publication, begins) == []
    assert paths.results.read_text() == "new results.json"


def test_what_an_ended_process_left_half_moved_is_told_and_moved_by_the_next(
    paths: RunPaths,
) -> None:
    put(paths, "old")
    publication = half_moved(paths, "new")
    assert publishing.problems(paths, publication) is None
    (found,) = leftovers.damages(paths, unpacked=True)
    assert (found.path, found.detail) == ("unpublished/results", publishing.HALF_MOVED)
    publishing.settle(paths, publication)
    assert publishing.problems(paths, publication) == []
    assert paths.metrics_csv.read_text() == "new comparison_metrics.csv"


def test_who_settles_waits_for_who_moves_and_touches_nothing_of_the_next_set(
    paths: RunPaths,
) -> None:
    """A set that was made meanwhile has other names: by the list of the first, they would go."""
    publication = half_moved(paths, "first")
    lock = Lock(paths.claims / LOCK)
    assert lock.try_acquire()

    def goes_on() -> None:
        publication.settle()
        put(paths, "second")
        lock.release()

    threading.Timer(0.3, goes_on).start()
    publishing.settle(paths, publication)
    with Lock(paths.claims / LOCK) as after:
        assert after.acquire(60)
    assert publishing.problems(paths, publication) == []
    assert paths.results.read_text() == "second results.json"


def test_a_repair_waits_for_who_makes_results(tmp_path: Path) -> None:
    toy = toy_manifest(8, 4)
    planned(tmp_path, replace(toy, sources={**toy.sources, "arm.one": "weights"}))
    paths = RunPaths(tmp_path)
    durable.make_folder(paths.claims)
    lock = Lock(paths.claims / LOCK)
    assert lock.try_acquire()
    put(paths, "old")
    paths.results.write_text("half of the new ones")  # what a look would find damaged

    def written() -> None:
        put(paths, "new")
        lock.release()

    threading.Timer(0.3, written).start()
    verify(tmp_path, Level.SIZE, repair=True)
    assert paths.results.read_text() == "new results.json"


def test_a_step_that_is_swept_during_a_look_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path)
    kept.save("step", "k" * 64, Finding({"a": 1}, {}))
    find = Path.open

    def swept(path: Path, *args: object, **options: object) -> object:
        path.unlink(missing_ok=True)
        return find(path, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", swept)
    assert kept.damaged() == []


def test_makers_of_two_sets_do_not_take_the_folder_from_each_other(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is done removes the folder of unpublished sets, if it is empty."""
    mkdir = Path.mkdir
    left = [paths.unpublished]

    def made_late(path: Path, *args: object, **options: object) -> None:
        if path.parent == paths.unpublished and left:
            left.pop().rmdir()
        mkdir(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", made_late)
    assert publishing.preview(paths).begin().is_dir()
    assert not left


def test_nobody_makes_anything_while_results_are_left_alone(paths: RunPaths) -> None:
    with publishing.undisturbed(paths, SILENT):
        for name in (LOCK, "preview.lock"):
            assert not Lock(paths.claims / name).try_acquire()

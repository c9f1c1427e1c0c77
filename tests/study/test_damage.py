"""Is what is deleted, cut or changed in a hub made again, and nothing else?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ptyrun.config.study import View
from ptyrun.study.hub import Hub
from ptyrun.study.plan import Study, graph
from ptyrun.study.state import State, survey
from tests.study.hubs import changed, contents, done, make_all, small_study, states, write_base

HOWS = ("deleted", "truncated", "altered", "emptied", "a folder", "a link")
RARER = ("a byte in place", "appended to", "a link to nothing", "a FIFO")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = small_study(tmp_path_factory.mktemp("study"))
    done(study)
    return study


def copy_of(study: Study, folder: Path) -> Study:
    """The same study, its hub copied to *folder*/hub."""
    shutil.copytree(study.hub.root, folder / "hub")
    return changed(study, hub=folder / "hub")


def untouched(hub: Path) -> dict[str, tuple[int, ...]]:
    """Which file is which, and when it was written last; locks and logs apart."""
    found: dict[str, tuple[int, ...]] = {}
    for path in hub.rglob("*"):
        name = path.relative_to(hub).as_posix()
        if path.is_file() and name.split("/")[0] not in ("cli", "locks") and name != "study.json":
            about = path.lstat()
            found[name] = (about.st_ino, about.st_mtime_ns, about.st_ctime_ns)
    return found


def harm(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "a byte in place":  # size, inode and the time of the content stay
        times = path.stat()
        with path.open("r+b") as stream:
            stream.seek(len(data) // 2)
            stream.write(bytes([data[len(data) // 2] ^ 1]))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        return
    path.unlink()
    if how == "appended to":
        path.write_bytes(data + b"x")
    elif how == "a link to nothing":
        path.symlink_to("nowhere")
    elif how == "a FIFO":
        os.mkfifo(path)
    elif how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "altered":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif how == "emptied":
        path.touch()
    elif how == "a folder":
        path.mkdir()
    elif how == "a link":
        elsewhere = path.with_name("elsewhere")
        elsewhere.write_bytes(data)
        path.symlink_to(elsewhere)


def test_a_second_survey_of_a_whole_hub_finds_all_done(study: Study) -> None:
    assert make_all(graph(study)) == []


def test_times_of_files_do_not_count(study: Study, tmp_path: Path) -> None:
    copied = copy_of(study, tmp_path)
    for path in copied.hub.root.rglob("*.npz"):
        path.touch()
    # Another folder: only the list of doses, which names it, differs.
    assert make_all(graph(copied)) == ["manifest"]


def test_a_hub_is_the_same_whichever_way_it_is_reached(study: Study, tmp_path: Path) -> None:
    copied = copy_of(study, tmp_path)
    make_all(graph(copied))
    (tmp_path / "beside").mkdir()
    link = tmp_path / "link"
    link.symlink_to(copied.hub.root)
    for way in (tmp_path / "beside" / ".." / "hub", link):
        assert set(states(graph(changed(copied, hub=way))).values()) == {State.DONE}


@pytest.mark.parametrize("how", HOWS)
def test_each_artifact_that_is_harmed_is_made_again_and_nothing_else(
    study: Study, tmp_path: Path, how: str
) -> None:
    copied = copy_of(study, tmp_path)
    stages = graph(copied)
    make_all(stages)
    before = contents(copied.hub.root)
    for stage in stages.stages:
        for name in stage.outputs:
            harm(copied.hub.path(name), how)
            standing = survey(stages)[stage.key]
            assert standing.state is State.STALE
            assert name in standing.why
            assert make_all(stages) == [stage.key]
            copied.hub.path(name).with_name("elsewhere").unlink(missing_ok=True)
            assert contents(copied.hub.root) == before


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = small_study(
        tmp_path_factory.mktemp("large"), doses=(1000.0, 10000.0), views=tuple(View)
    )
    done(study)
    return study


@pytest.mark.slow
@pytest.mark.parametrize("how", [*HOWS, *RARER])
def test_of_two_doses_and_views_each_file_is_made_again_and_no_other_is_written(
    large: Study, tmp_path: Path, how: str
) -> None:
    copied = copy_of(large, tmp_path)
    stages = graph(copied)
    make_all(stages)
    before = contents(copied.hub.root)
    for stage in stages.stages:
        record = stage.record(copied.hub)
        mine = {*map(copied.hub.path, stage.outputs), record}
        others = {
            name: seen
            for name, seen in untouched(copied.hub.root).items()
            if copied.hub.path(name) not in mine
        }
        for path in sorted(mine):
            harm(path, how)
            standing = survey(stages)[stage.key]
            if path != record:
                assert path.relative_to(copied.hub.root).as_posix() in standing.why
            assert make_all(stages) == [stage.key]
            path.with_name("elsewhere").unlink(missing_ok=True)
            shutil.rmtree(copied.hub.root / "archive", ignore_errors=True)
            assert contents(copied.hub.root) == before
            found = untouched(copied.hub.root)
            assert {name: found[name] for name in others} == others


@pytest.mark.parametrize("how", ["deleted", "truncated", "altered"])
def test_each_record_that_is_harmed_is_written_again_and_leaves_nothing_behind(
    study: Study, tmp_path: Path, how: str
) -> None:
    copied = copy_of(study, tmp_path)
    stages = graph(copied)
    make_all(stages)
    before = contents(copied.hub.root)
    for stage in stages.stages:
        harm(stage.record(copied.hub), how)
        assert make_all(stages) == [stage.key]
        assert contents(copied.hub.root) == before


def test_what_depends_on_something_harmed_waits_for_it(study: Study, tmp_path: Path) -> None:
    copied = copy_of(study, tmp_path)
    stages = graph(copied)
    make_all(stages)
    copied.hub.path("data/phase_c/dose_1000/patched.npz").unlink()
    found = survey(stages)
    assert found["patch-dose_1000"].state is State.STALE
    assert found["split-dose_1000"].state is State.STALE
    assert found["split-dose_1000"].why == "waits for patch-dose_1000"
    assert found["canonicalise-dose_1000"].state is State.DONE


CHANGES = {
    "noise_seed": (1, "simulate"),
    "seed": (7, "simulate"),
    "n_images": (30, "simulate"),
    "split_fraction": (0.4, "split"),
    "subsample_seed": (1, "overlap"),
    "n_groups": (9, "overlap"),
}


@pytest.mark.parametrize(("option", "change"), CHANGES.items())
def test_a_changed_option_redoes_what_depends_on_it_and_nothing_else(
    study: Study, tmp_path: Path, option: str, change: tuple[object, str]
) -> None:
    copied = copy_of(study, tmp_path)
    make_all(graph(copied))
    value, kind = change
    stages = graph(changed(copied, **{option: value}))
    first = [stage for stage in stages.stages if stage.kind == kind]
    expected = {stage.key for stage in first}
    for stage in stages.stages:  # each comes after what it needs
        if expected.intersection(stages.needs(stage)):
            expected.add(stage.key)
    found = survey(stages)
    assert {key for key, each in found.items() if each.state is State.STALE} == expected
    (fact,) = found[first[0].key].changed
    assert fact.new == str(value)
    made = set(make_all(stages))
    assert made <= expected
    # What comes out as it was ends the redoing: only the list of doses reads nothing of the halves.
    assert {stage.key for stage in first} <= made
    fresh = small_study(tmp_path / "fresh", base_npz=study.options.base_npz, **{option: value})
    done(fresh)
    assert contents(copied.hub.root) == contents(fresh.hub.root)


def test_a_changed_dose_adds_its_own_stages_and_leaves_the_other(
    study: Study, tmp_path: Path
) -> None:
    copied = copy_of(study, tmp_path)
    make_all(graph(copied))
    both = graph(changed(copied, doses=(1000.0, 2000.0)))
    made = make_all(both)
    assert {key for key in made if "dose_1000" in key.replace("dose_10000", "")} == set()
    assert "simulate-dose_2000" in made


def test_a_changed_base_redoes_all_and_says_which_input_changed(
    study: Study, tmp_path: Path
) -> None:
    copied = copy_of(study, tmp_path)
    make_all(graph(copied))
    other = changed(copied, base_npz=write_base(tmp_path / "other.npz", seed=2))
    found = survey(graph(other))["simulate-dose_1000"]
    assert [fact.name for fact in found.changed] == ["input base"]
    moved = tmp_path / "moved.npz"
    assert copied.options.base_npz is not None
    shutil.copy(copied.options.base_npz, moved)
    assert set(states(graph(changed(copied, base_npz=moved))).values()) == {State.DONE}


def test_what_this_study_did_not_make_is_set_aside_and_never_overwritten(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    stranger = study.hub.path("data/phase_c/dose_1000/simulated_raw.npz")
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"mine")
    done(study)
    (kept,) = (study.hub.root / "archive").rglob("simulated_raw.npz")
    assert kept.read_bytes() == b"mine"
    assert Hub(study.hub.root).study == study.hub.root / "study.json"


def test_a_folder_that_lies_where_a_record_belongs_is_set_aside(
    study: Study, tmp_path: Path
) -> None:
    copied = copy_of(study, tmp_path)
    stages = graph(copied)
    make_all(stages)
    before = contents(copied.hub.root)
    for number, stage in enumerate(stages.stages):
        for path in (stage.record(copied.hub), stage.attempt(copied.hub)):
            path.unlink(missing_ok=True)
            path.mkdir()
            (path / "mine").write_text(f"{number}", encoding="utf-8")
        assert make_all(stages) == [stage.key]
        aside = sorted((copied.hub.root / "archive").rglob("mine"))
        assert [each.read_text(encoding="utf-8") for each in aside] == [str(number)] * 2
        shutil.rmtree(copied.hub.root / "archive")
        assert contents(copied.hub.root) == before

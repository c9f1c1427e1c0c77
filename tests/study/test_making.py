"""What becomes of a stage that is a command, whatever that command does?"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptyrun.engine.window import Window
from ptyrun.errors import BusyError, PtyrunError, UnfinishedError, UsageError
from ptyrun.host import durable
from ptyrun.host.locks import Lock
from ptyrun.study import archive
from ptyrun.study.graph import Graph
from ptyrun.study.hub import Hub
from ptyrun.study.making import make, sweep_all
from ptyrun.study.others import OtherStage, placed
from ptyrun.study.state import State, survey
from ptyrun.study.works import work_of
from tests.study.hubs import done, make_all, small_study, states

SHELL = ("sh", "-c")


def stages_of(tmp_path: Path, *others: OtherStage) -> Graph:
    """A study of nothing but *others*."""
    options = small_study(tmp_path).options
    hub = Hub(options.hub)
    return Graph.of(hub, placed(hub, options, (), others))


def command(name: str, script: str, inputs: tuple[str, ...] = (), *outputs: str) -> OtherStage:
    words = (*SHELL, f"cd $PTYRUN_HUB; {script}")
    return OtherStage(name, words, inputs, outputs or (f"data/{name}",))


def making(stages: Graph, key: str) -> State:
    return make(stages, key, Window(), work_of).state


def test_a_command_makes_its_outputs_and_is_done(tmp_path: Path) -> None:
    stages = stages_of(tmp_path, command("a", "echo $PTYRUN_STAGE > data/a"))
    assert making(stages, "a") is State.DONE
    assert stages.hub.path("data/a").read_text() == "a\n"
    assert states(stages) == {"a": State.DONE}


def test_a_folder_can_be_an_output(tmp_path: Path) -> None:
    stages = stages_of(tmp_path, command("a", "mkdir -p data/a; echo 1 > data/a/x"))
    making(stages, "a")
    assert states(stages) == {"a": State.DONE}
    stages.hub.path("data/a/y").touch()
    assert states(stages) == {"a": State.STALE}
    making(stages, "a")
    assert [path.name for path in stages.hub.path("data/a").iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("true", "exit code 0 without its output data/a"),
        ("echo > data/a; exit 3", "exit code 3"),
        ("kill -9 $$", "signal 9"),
    ],
)
def test_a_command_that_fails_says_how_and_blocks_what_needs_it(
    tmp_path: Path, script: str, why: str
) -> None:
    after = command("b", "echo > data/b", ("data/a",))
    stages = stages_of(tmp_path, command("a", script), after, command("c", "echo > data/c"))
    with pytest.raises(PtyrunError, match=why):
        making(stages, "a")
    making(stages, "c")
    assert states(stages) == {"a": State.FAILED, "c": State.DONE, "b": State.BLOCKED}
    assert why in survey(stages)["a"].why
    with pytest.raises(UsageError, match="it needs a"):
        making(stages, "b")


def test_a_command_that_is_not_there_fails_by_name(tmp_path: Path) -> None:
    stages = stages_of(tmp_path, OtherStage("a", ("no-such-command",), (), ("data/a",)))
    with pytest.raises(PtyrunError, match="'no-such-command' cannot be run"):
        making(stages, "a")
    assert states(stages) == {"a": State.FAILED}


def test_outputs_of_earlier_facts_do_not_count_for_a_command_that_makes_none(
    tmp_path: Path,
) -> None:
    making(stages_of(tmp_path, command("a", "echo > data/a")), "a")
    later = stages_of(tmp_path, command("a", "true"))
    found = survey(later)["a"]
    assert [fact.name for fact in found.changed] == ["command"]
    with pytest.raises(PtyrunError, match="without its output"):
        making(later, "a")
    assert not later.hub.path("data/a").exists()


def test_a_command_that_says_that_work_remains_goes_on_with_what_it_left(tmp_path: Path) -> None:
    script = "echo >> data/a; [ $(wc -l < data/a) -ge 3 ] || exit 75"
    stages = stages_of(tmp_path, command("a", script))
    for _ in range(2):
        with pytest.raises(UnfinishedError):
            making(stages, "a")
        assert states(stages) == {"a": State.PENDING}
    assert making(stages, "a") is State.DONE


def test_an_input_that_changes_meanwhile_fails_the_stage(tmp_path: Path) -> None:
    stages = stages_of(
        tmp_path,
        command("a", "echo 1 > data/a"),
        command("b", "echo 2 > data/a; echo > data/b", ("data/a",)),
    )
    making(stages, "a")
    with pytest.raises(PtyrunError, match="its input data/a changed while it was made"):
        making(stages, "b")


def test_a_stage_that_another_process_makes_is_running_and_is_not_made_twice(
    tmp_path: Path,
) -> None:
    stages = stages_of(tmp_path, command("a", "echo > data/a"))
    durable.make_folder(stages.hub.locks)
    with Lock(stages.hub.stage_lock("a")) as lock:
        assert lock.try_acquire()
        found = survey(stages)["a"]
        assert found.state is State.RUNNING
        assert f"PID {os.getpid()}" in found.why
        with pytest.raises(BusyError, match="another process makes the stage a"):
            making(stages, "a")
    assert making(stages, "a") is State.DONE


def test_a_process_that_dies_anywhere_leaves_a_stage_that_is_made_again(tmp_path: Path) -> None:
    """Before every change of the disk, in turn."""
    script = "echo 1 > data/a"
    calm = stages_of(tmp_path / "calm", command("a", script))
    making(calm, "a")
    for n in range(200):
        folder = tmp_path / str(n)
        stages = stages_of(folder, command("a", script))
        stages.hub.path("data").mkdir(parents=True)
        stages.hub.path("data/a").write_text("of somebody else\n")
        child = os.fork()
        if child == 0:
            die_before_change(n, stages.hub.root)
            making(stages, "a")
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        make_all(stages)
        assert states(stages) == {"a": State.DONE}, f"killed before change {n}"
        sweep_all(stages.hub, survey(stages).values())
        assert stages.hub.path("data/a").read_text() == "1\n"
        (kept,) = (stages.hub.root / "archive").rglob("a")
        assert kept.read_text() == "of somebody else\n"
        assert not [*stages.hub.root.rglob("*.attempt.json"), *stages.hub.root.rglob("*.partial")]
        if code == 0:
            break
    assert n > 15, "too few changes were seen: the test no longer bites"


def die_before_change(count: int, root: Path) -> None:
    changes = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "subprocess.Popen"}
    left = iter(range(count, -1, -1))

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and str(root) in str(arguments[0]) and is_writing(arguments)
        if (event in changes or writes) and next(left, 0) == 0:
            os._exit(9)

    sys.addaudithook(hook)


def is_writing(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2] if len(arguments) > 2 else 0
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    yield done(small_study(tmp_path)).hub


def test_a_clobber_that_dies_anywhere_is_finished_by_who_comes_next(tmp_path: Path) -> None:
    chain = (command("a", "echo 1 > data/a"), command("b", "cp data/a data/b", ("data/a",)))
    for n in range(100):
        stages = stages_of(tmp_path / str(n), *chain)
        make_all(stages)
        child = os.fork()
        if child == 0:
            die_before_change(n, stages.hub.root)
            archive.clobber(stages)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        archive.settle(stages.hub)
        sweep_all(stages.hub, survey(stages).values())
        here = {path.name for path in stages.hub.path("data").iterdir()}
        names = {"a", "b", "a.stage.json", "b.stage.json"}
        assert here in (set(), names), f"killed before change {n}: all or none"
        kept = {path.name for path in (stages.hub.root / "archive").rglob("*") if path.is_file()}
        assert kept == (set() if here else {*names, "a.log", "b.log"})
        if code == 0:
            break
    assert n > 5, "too few changes were seen: the test no longer bites"


def test_clobber_takes_what_depends_on_its_stages_although_it_was_not_asked_for(
    tmp_path: Path,
) -> None:
    a = command("a", "echo 1 > data/a")
    stages = stages_of(tmp_path, a, command("b", "cp data/a data/b", ("data/a",)))
    make_all(stages)
    archive.clobber(stages_of(tmp_path, a))
    assert not [*stages.hub.path("data").iterdir()]

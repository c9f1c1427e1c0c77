"""Do sessions on one hub share the stages out, whoever is faster?"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode
from ptyrun.host.children import ptyrun_words
from ptyrun.host.locks import Lock
from ptyrun.progress import SILENT
from ptyrun.study import making, state
from ptyrun.study.graph import Graph
from ptyrun.study.hub import Hub
from ptyrun.study.places import Over, Processes
from ptyrun.study.plan import Study, graph
from ptyrun.study.record import Record
from ptyrun.study.session import Outcome, Session
from ptyrun.study.state import State, survey
from ptyrun.study.working import words_of_stage
from ptyrun.study.works import work_of
from tests.study.hubs import done, small_study

FIRST = "simulate-dose_1000"


class Overtaken(Processes):
    """Another session begins with the same stage a moment earlier, and gives it up again."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, 1)
        hub.locks.mkdir(parents=True)
        self.lock = Lock(hub.stage_lock(FIRST))
        self.is_overtaken = False

    def has_room(self, n_ready: int) -> bool:
        if not self.is_overtaken:
            self.is_overtaken = True
            assert self.lock.try_acquire()
            threading.Timer(0.3, self.lock.release).start()
        return super().has_room(n_ready)


def first_of(study: Study) -> Graph:
    return graph(study).only((FIRST,))


def test_a_stage_that_another_session_begins_first_is_waited_for(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    words = partial(words_of_stage, study, None, trusted=())
    with Overtaken(study.hub) as places:
        outcome = Session(first_of(study), words, Window(), SILENT, places).run()
    assert places.is_overtaken
    assert (outcome.stop, outcome.made) == (ExitCode.COMPLETE, (FIRST,))


def test_a_stage_that_ends_while_it_is_looked_at_is_done_or_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path)
    made = first_of(study)
    done(study)
    path = made.find(FIRST).record(study.hub)
    written = path.read_bytes()
    path.unlink()
    lock = Lock(study.hub.stage_lock(FIRST))
    assert lock.try_acquire()
    find = Record.find_sound

    def found_at_the_end(where: Path) -> Record | None:
        found = find(where)
        path.write_bytes(written)
        lock.release()
        return found

    monkeypatch.setattr(Record, "find_sound", found_at_the_end)
    assert survey(made)[FIRST].state in (State.RUNNING, State.DONE)
    assert state.holder_of(lock.path) == ""


def test_a_stage_that_is_made_is_done_whoever_looks_at_it_again(tmp_path: Path) -> None:
    """A process that comes too late holds the stage's lock until it has seen that."""
    study = small_study(tmp_path)
    made = first_of(study)
    done(study)
    with Lock(study.hub.stage_lock(FIRST)) as lock:
        assert lock.try_acquire()
        assert survey(made)[FIRST].state is State.DONE
        made.find(FIRST).record(study.hub).unlink()
        assert survey(made)[FIRST].state is State.RUNNING


class Told:
    """Makes stages at once, in this process, but for those whose end it is told."""

    lead_s, may_come, is_asked_to_end = 0.0, False, False

    def __init__(self, stages: Graph, ends: dict[str, list[Callable[[], int]]]) -> None:
        self._stages, self._ends = stages, ends
        self._over: list[Over] = []

    def has_room(self, n_ready: int) -> bool:
        return True

    def begin(self, key: str, words: Sequence[str]) -> bool:
        if ends := self._ends.get(key):
            code = ends.pop(0)()
        else:
            making.make(self._stages, key, Window(), work_of)
            code = 0
        self._over.append(Over(key, code))
        return True

    def ended(self) -> list[Over]:
        over, self._over = self._over, []
        return over

    def ask_to_end(self, key: str) -> None:
        raise AssertionError("nothing ends this session")


def ended(study: Study, stages: Graph, ends: dict[str, list[Callable[[], int]]]) -> Outcome:
    words = partial(words_of_stage, study, None, trusted=())
    return Session(stages, words, Window(), SILENT, Told(stages, ends)).run()


def test_a_stage_that_another_process_began_first_and_gave_up_is_begun_again(
    tmp_path: Path,
) -> None:
    study = small_study(tmp_path)
    ends = {FIRST: [lambda: making.OVERTAKEN, lambda: making.OVERTAKEN]}
    outcome = ended(study, first_of(study), ends)
    assert (outcome.stop, outcome.made) == (ExitCode.COMPLETE, (FIRST,))
    assert not ends[FIRST]


def test_a_stage_does_not_fail_because_one_that_it_needs_is_made_again(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    stages = graph(study)
    second = next(each for each in stages.stages if FIRST in stages.needs(each))

    record, lock = stages.find(FIRST).record(study.hub), Lock(study.hub.stage_lock(FIRST))

    def begun_in_vain() -> int:
        written = record.read_bytes()
        assert lock.try_acquire()
        record.unlink()

        def made_again() -> None:
            record.write_bytes(written)
            lock.release()

        threading.Timer(0.3, made_again).start()
        return int(ExitCode.USAGE)

    outcome = ended(study, stages.only((second.key,)), {second.key: [begun_in_vain]})
    assert (outcome.stop, outcome.made[-1]) == (ExitCode.COMPLETE, second.key)


def test_a_process_that_comes_too_late_says_so_to_its_session(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.hub.locks.mkdir(parents=True)
    words = [str(word) for word in words_of_stage(study, None, FIRST, 60.0, trusted=())]
    with Lock(study.hub.stage_lock(FIRST)) as lock:
        assert lock.try_acquire()
        told = subprocess.run(
            ptyrun_words(*words), capture_output=True, text=True, timeout=300, check=False
        )
    assert told.returncode == making.OVERTAKEN, told.stderr

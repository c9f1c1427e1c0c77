"""Do sessions on one hub share the stages out, whoever is faster?"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode
from ptyrun.host.locks import Lock
from ptyrun.progress import SILENT
from ptyrun.study import state
from ptyrun.study.graph import Graph
from ptyrun.study.hub import Hub
from ptyrun.study.places import Processes
from ptyrun.study.plan import Study, graph
from ptyrun.study.record import Record
from ptyrun.study.session import Session
from ptyrun.study.state import State, survey
from ptyrun.study.working import words_of_stage
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

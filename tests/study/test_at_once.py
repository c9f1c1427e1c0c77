"""What if another process of a study comes between a look and what rests on it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from ptyrun.config.study import StudySession
from ptyrun.engine.window import Window
from ptyrun.errors import BusyError
from ptyrun.host.locks import Lock
from ptyrun.progress import SILENT
from ptyrun.study import archive, identity, making, working
from ptyrun.study.hub import Hub
from ptyrun.study.identity import HubStudy
from ptyrun.study.places import Cluster
from ptyrun.study.plan import graph
from ptyrun.study.record import Attempt
from ptyrun.study.state import survey
from tests.study.hubs import done, small_study

FIRST = "simulate-dose_1000"


def test_what_a_stage_at_work_needs_is_not_swept_by_who_saw_it_done(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    stages = done(study)
    seen = survey(stages)
    attempt = seen[FIRST].stage.attempt(study.hub)
    begun = Attempt(FIRST, "other facts", making.now())
    begun.save(attempt)
    with Lock(study.hub.stage_lock(FIRST)) as lock:
        assert lock.try_acquire()
        making.sweep_all(study.hub, seen.values())
        assert attempt.exists()
    record = seen[FIRST].stage.record(study.hub)
    written = record.read_bytes()
    record.unlink()  # killed after it began anew
    making.sweep_all(study.hub, seen.values())
    assert attempt.exists()
    record.write_bytes(written)
    making.sweep_all(study.hub, seen.values())
    assert not attempt.exists()


def test_no_stage_begins_while_its_files_are_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path)
    stages = done(study)
    moves = archive.set_aside

    def moved(*args: Any, **options: Any) -> Path | None:
        for stage in stages.stages:
            with Lock(study.hub.stage_lock(stage.key)) as lock:
                assert not lock.try_acquire(), f"{stage.key} can be begun"
        return moves(*args, **options)

    monkeypatch.setattr(archive, "set_aside", moved)
    assert archive.clobber(stages) is not None
    with Lock(study.hub.stage_lock(FIRST)) as lock:
        assert lock.try_acquire(), "it can be begun afterwards"
        with pytest.raises(BusyError, match=FIRST):
            archive.clobber(stages)


def test_files_of_a_session_that_has_just_begun_are_no_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path)
    found = survey(graph(study))
    looks: list[HubStudy | None] = [None, HubStudy("small", {})]
    output = study.hub.path(found[FIRST].stage.outputs[0])
    output.parent.mkdir(parents=True)
    output.write_bytes(b"of the other session")
    monkeypatch.setattr(identity, "of_hub", lambda hub: looks.pop(0))
    working._require_own(study, found)
    assert not looks


class OneWorker:
    """A cluster of one worker, on which nothing ever ends."""

    free = ("worker",)

    def __init__(self) -> None:
        self.closed: list[str] = []

    def begin(self, *args: object) -> None:
        pass

    def close(self, worker: str) -> None:
        self.closed.append(worker)


def test_a_stage_that_a_signal_closes_in_the_windows_last_moment_is_closed_once(
    tmp_path: Path,
) -> None:
    workers = OneWorker()
    cluster = Cluster(cast(Any, workers), Hub(tmp_path), Window(), SILENT)
    assert cluster.begin(FIRST, ("study", "stage"))
    cluster.ask_to_end(FIRST)
    cluster.ask_to_end(FIRST)
    assert workers.closed == ["worker"]


def test_a_study_that_is_done_is_not_taken_for_undone_while_a_late_process_looks(
    tmp_path: Path,
) -> None:
    study = small_study(tmp_path)
    done(study)
    with Lock(study.hub.stage_lock(FIRST)) as lock:
        assert lock.try_acquire()
        assert working.goal_of(graph(study)).is_reached()
        assert working.run(study, None, StudySession(), SILENT).stop == 0

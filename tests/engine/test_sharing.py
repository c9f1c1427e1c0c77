"""The last chunks of a run are with whoever can compute them now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ptyrun.engine import schedule as schedule_module
from ptyrun.engine.claims import Claims
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.schedule import Quota, Schedule
from ptyrun.paths import RunPaths
from tests.engine.test_claims import held
from tests.engine.toys import toy_manifest

THEIRS = {3, 4, 5}


def commit(arm: ArmProgress, chunk: int) -> None:
    arm.commit("s", chunk, 0, arm.plan.fingerprint, (9, 9), (1e-6, 0.0, True))


@pytest.fixture
def schedule(tmp_path: Path) -> Iterator[tuple[Schedule, ArmProgress]]:
    """Of six chunks another worker has three in hand."""
    child = held(tmp_path, False)
    manifest = toy_manifest(48, 8)
    ledger = Ledger(RunPaths(tmp_path / "run"), manifest)
    claims = Claims(tmp_path, "mine")
    plan = manifest.arms[0]
    yield (
        Schedule(plan, ledger, claims, Quota(None), max_attempts=3),
        ledger.progress.arms[plan.name],
    )
    claims.close()
    child.kill()
    child.join()


def test_an_idle_worker_computes_what_another_one_does_not_finish(
    schedule: tuple[Schedule, ArmProgress], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, arm = schedule
    for chunk in range(3):
        commit(arm, chunk)
    assert mine.take() is None  # they may yet be finished
    monkeypatch.setattr(schedule_module, "LEAST_PATIENCE_S", -1.0)
    assert mine.has_ready()
    taken = mine.take()
    assert taken is not None and set(taken.chunks) <= THEIRS


def test_what_another_worker_began_is_left_to_it_while_nobody_knows_how_long_it_takes(
    schedule: tuple[Schedule, ArmProgress], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, arm = schedule
    arm.committed = bytearray([1, 1, 1, 0, 0, 0])
    monkeypatch.setattr(schedule_module, "LEAST_PATIENCE_S", -1.0)
    assert mine.take() is None


def test_a_worker_reads_no_chunk_ahead_that_an_idle_one_could_compute(
    schedule: tuple[Schedule, ArmProgress], tmp_path: Path
) -> None:
    mine, arm = schedule
    first = mine.take()
    assert first is not None and list(first.chunks) == [0]
    second = mine.take()
    assert second is not None and list(second.chunks) == [1]  # one stays free for the other
    assert mine.take() is None
    commit(arm, 0)
    commit(arm, 1)
    mine.finished(first.chunks)
    mine.finished(second.chunks)
    third = mine.take()  # idle itself
    assert third is not None and list(third.chunks) == [2]


def test_a_worker_alone_reads_ahead_to_the_end(tmp_path: Path) -> None:
    manifest = toy_manifest(16, 8)
    ledger = Ledger(RunPaths(tmp_path / "run"), manifest)
    claims = Claims(tmp_path, "mine")
    mine = Schedule(manifest.arms[0], ledger, claims, Quota(None), max_attempts=3)
    assert [mine.take() is not None for _ in range(3)] == [True, True, False]
    claims.close()

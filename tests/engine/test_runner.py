from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.config import Fact
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.batches import KnownBatchLimit
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.records import Closed, Committed, Failed, Forgotten, Started
from ptyrun.engine.window import Window
from ptyrun.engine.work import Event
from ptyrun.errors import (
    BlockedError,
    DamageError,
    ExitCode,
    IdentityError,
    ModelError,
    PredictionError,
    PtyrunError,
    StorageError,
    WindowTooShortError,
)
from ptyrun.paths import RunPaths
from ptyrun.stages.status import status
from tests.engine.toys import (
    ToyWork,
    decoded,
    expected,
    just_begun,
    planned,
    run,
    session_s,
    toy_manifest,
    toy_run,
)


def commits(folder: Path) -> list[Committed]:
    return [r for _, r in read_records(RunPaths(folder)) if isinstance(r, Committed)]


def failing(chunk: int, times: int) -> Callable[[range], None]:
    """Fails in one chunk of 8 items, as often as told."""
    left = [times]

    def trouble(items: range) -> None:
        if chunk * 8 in items and left[0]:
            left[0] -= 1
            raise RuntimeError(f"no luck with {items}")

    return trouble


def test_one_session_completes_all_arms(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest(arms={"one": 1.0, "two": 2.0}))
    outcome = toy_run(tmp_path)
    assert (outcome.stop, outcome.chunks_done, outcome.chunks_left) == (ExitCode.COMPLETE, 16, 0)
    assert (outcome.items_done, outcome.items_left) == (128, 0)
    assert decoded(tmp_path) == expected(manifest)


def test_a_complete_run_loads_no_model(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest())
    toy_run(tmp_path)

    def open_work(arm: ArmPlan, fitting: KnownBatchLimit) -> ToyWork:
        raise AssertionError("a model was loaded for nothing")

    outcome = run(RunPaths(tmp_path), manifest, open_work, window=Window())
    assert outcome.stop is ExitCode.COMPLETE


def test_chunks_are_begun_no_more_than_asked_for(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest())
    for left in (5, 2):
        outcome = toy_run(tmp_path, max_chunks=3)
        assert (outcome.stop, outcome.chunks_left) == (ExitCode.INCOMPLETE, left)
    assert toy_run(tmp_path, max_chunks=3).stop is ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)


def test_only_the_arms_asked_for_are_worked_on(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest(arms={"one": 1.0, "two": 2.0}))
    assert toy_run(tmp_path, arms=["two"]).stop is ExitCode.COMPLETE
    assert {record.arm for record in commits(tmp_path)} == {"two"}


def test_calls_never_exceed_a_batch_and_small_chunks_share_one(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest(50, 4))
    works = []

    def open_work(arm: ArmPlan, fitting: KnownBatchLimit) -> ToyWork:
        works.append(ToyWork(arm, fitting, batch_items=16))
        return works[-1]

    run(RunPaths(tmp_path), manifest, open_work, window=Window())
    (work,) = works
    assert [len(items) for items in work.computed] == [16, 16, 16, 2]
    assert decoded(tmp_path) == expected(manifest)


@pytest.mark.parametrize("times", [1, 2])
def test_a_chunk_that_fails_is_tried_again(tmp_path: Path, times: int) -> None:
    manifest = planned(tmp_path, toy_manifest())
    outcome = toy_run(tmp_path, batch_items=8, trouble=failing(3, times))
    assert outcome.stop is ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)
    attempts = {record.chunk: record.attempt for record in commits(tmp_path)}
    assert attempts[3] == times + 1
    assert all(attempt == 1 for chunk, attempt in attempts.items() if chunk != 3)


def test_a_chunk_that_always_fails_is_set_aside_and_the_others_go_on(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    outcome = toy_run(tmp_path, batch_items=8, trouble=failing(3, 99))
    assert (outcome.stop, outcome.chunks_left) == (ExitCode.FAILED, 1)
    assert "chunk 3 of arm one was quarantined: RuntimeError: no luck" in outcome.reason
    failures = [r for _, r in read_records(RunPaths(tmp_path)) if isinstance(r, Failed)]
    assert [failure.attempt for failure in failures] == [1, 2, 3]
    assert "raise RuntimeError" in failures[0].traceback
    (RunPaths(tmp_path).arrays / "one/patches/c.5.0.0").unlink()
    again = toy_run(tmp_path)
    assert (again.stop, again.chunks_done) == (ExitCode.FAILED, 1), "chunk 5 alone"


@pytest.mark.parametrize("chunk_items", [6, 8, 24])
def test_every_item_keeps_its_row_of_a_batch_wherever_sessions_are_cut(
    tmp_path: Path, chunk_items: int
) -> None:
    manifest = planned(tmp_path, toy_manifest(96, chunk_items))
    while toy_run(tmp_path, batch_items=16, max_chunks=1).stop is ExitCode.INCOMPLETE:
        pass
    assert decoded(tmp_path) == expected(manifest)
    assert not [r for _, r in read_records(RunPaths(tmp_path)) if isinstance(r, Failed)]


def test_one_bad_chunk_among_neighbours_is_found_by_trying_each_alone(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    outcome = toy_run(tmp_path, batch_items=32, trouble=failing(2, 99))
    assert (outcome.stop, outcome.chunks_left) == (ExitCode.FAILED, 1)
    failed = {r.chunk for _, r in read_records(RunPaths(tmp_path)) if isinstance(r, Failed)}
    assert failed == {2}


def test_when_everything_fails_the_session_gives_up_early(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest(800, 8))

    def trouble(items: range) -> None:
        raise RuntimeError("nothing works")

    outcome = toy_run(tmp_path, batch_items=8, trouble=trouble)
    assert outcome.stop is ExitCode.FAILED
    assert "in a row failed" in outcome.reason and "nothing works" in outcome.reason
    failures = [r for _, r in read_records(RunPaths(tmp_path)) if isinstance(r, Failed)]
    assert len(failures) < 20


@pytest.mark.parametrize("error", [BlockedError("zeros", "all", "look"), ModelError("m", "w", "d")])
def test_an_error_that_no_retry_heals_ends_the_session_at_once(
    tmp_path: Path, error: PtyrunError
) -> None:
    planned(tmp_path, toy_manifest())

    def trouble(items: range) -> None:
        if items.start >= 16:
            raise error

    with pytest.raises(type(error)):
        toy_run(tmp_path, batch_items=8, trouble=trouble)
    assert [record.chunk for record in commits(tmp_path)] == [0, 1]
    closed = [r for _, r in read_records(RunPaths(tmp_path)) if isinstance(r, Closed)]
    assert closed[-1].exit_code == type(error).exit_code
    assert toy_run(tmp_path).stop is ExitCode.COMPLETE


@pytest.mark.parametrize("broken", ["short", "dtype"])
def test_outputs_that_break_the_contract_are_never_written(tmp_path: Path, broken: str) -> None:
    manifest = planned(tmp_path, toy_manifest())

    class Broken(ToyWork):
        def compute(self, inputs: range, n_items: int) -> NDArray[Any]:
            good = super().compute(inputs, n_items)
            return good[:-1] if broken == "short" else good.astype(np.complex128)

    outcome = run(RunPaths(tmp_path), manifest, Broken, window=Window())
    assert outcome.stop is ExitCode.FAILED
    assert "the last with PredictionError" in outcome.reason
    assert not commits(tmp_path)


def test_a_check_that_refuses_is_a_failure_of_its_chunk_alone(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest())

    asked = itertools.count(1)

    class Checked(ToyWork):
        def check(self, items: range, outputs: NDArray[Any]) -> Mapping[str, Fact]:
            if items.start == 16:
                if next(asked) > 3:
                    raise BlockedError("asked again", "it was refused three times", "nothing")
                raise PredictionError("constant", "all the same", "look at the model")
            return super().check(items, outputs)

    outcome = run(RunPaths(tmp_path), manifest, Checked, window=Window())
    assert (outcome.stop, outcome.chunks_left) == (ExitCode.FAILED, 1)
    assert "chunk 2 of arm one was quarantined: PredictionError" in outcome.reason


def test_a_chunk_that_lost_its_file_or_a_byte_is_computed_again(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest())
    toy_run(tmp_path)
    folder = RunPaths(tmp_path).arrays / "one/patches"
    (folder / "c.2.0.0").unlink()
    (folder / "c.5.0.0").write_bytes((folder / "c.5.0.0").read_bytes()[:-1])
    outcome = toy_run(tmp_path, max_chunks=2)
    assert (outcome.stop, outcome.chunks_done) == (ExitCode.COMPLETE, 2)
    assert decoded(tmp_path) == expected(manifest)
    forgotten = [r for _, r in read_records(RunPaths(tmp_path)) if isinstance(r, Forgotten)]
    assert [each.chunk for each in forgotten] == [2, 5]


def test_another_manifest_is_refused_before_any_work(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    toy_run(tmp_path, max_chunks=2)
    other = toy_manifest(seed=9)
    with pytest.raises(IdentityError):
        run(RunPaths(tmp_path), other, ToyWork, window=Window())


def test_a_changed_index_array_is_refused_before_any_work(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest())
    arm = replace(manifest.arms[0], index_sha256={"index/one/frames": "0" * 64})
    changed = replace(manifest, arms=(arm,))
    changed.save(RunPaths(tmp_path).manifest)
    with pytest.raises(DamageError, match="index/one/frames"):
        run(RunPaths(tmp_path), changed, ToyWork, window=Window())
    assert not commits(tmp_path)


def test_a_window_too_short_for_one_chunk_says_so_and_the_third_is_an_error(
    tmp_path: Path,
) -> None:
    window_s = max(1.0, 20 * session_s(tmp_path / "other"))
    planned(tmp_path, toy_manifest())
    toy_run(tmp_path, max_chunks=1, compute_s=2 * window_s)
    for last in (False, False, True):
        window = Window(window_s, just_begun())
        if last:
            with pytest.raises(WindowTooShortError, match="3 windows in a row") as raised:
                toy_run(tmp_path, window=window)
            assert raised.value.enough_s > 2 * window_s, "a chunk takes as long"
            found = status(tmp_path)
            assert found.window_needed_s == raised.value.enough_s, "one figure, wherever it stands"
            assert found.windows_without_progress == 3
            assert "not even one chunk fits" in found.why_without_progress
            assert found.windows_left is None
        else:
            outcome = toy_run(tmp_path, window=window)
            assert outcome.stop is ExitCode.INCOMPLETE
            assert "not even one chunk fits" in outcome.reason
            assert outcome.windows_left is None, "no number of them is enough"
    assert toy_run(tmp_path).stop is ExitCode.COMPLETE


def test_a_window_that_closes_before_the_first_chunk_ever_says_what_to_change(
    tmp_path: Path,
) -> None:
    planned(tmp_path, toy_manifest())
    outcome = toy_run(tmp_path, 1e-3)
    assert (outcome.stop, outcome.chunks_done) == (ExitCode.INCOMPLETE, 0)
    assert "used up before the first chunk" in outcome.reason
    assert "use --window" in outcome.reason


def test_the_second_chunk_is_not_begun_where_the_first_one_shows_that_it_cannot_fit(
    tmp_path: Path,
) -> None:
    chunk_s = max(0.9, 10 * session_s(tmp_path / "other"))
    planned(tmp_path, toy_manifest())
    window = Window(1.7 * chunk_s, just_begun())
    assert toy_run(tmp_path, window=window, batch_items=8, compute_s=chunk_s).chunks_done == 1


def test_a_window_is_overrun_by_no_more_than_one_chunk(tmp_path: Path) -> None:
    chunk_s = max(0.1, 3 * session_s(tmp_path / "other"))
    manifest = planned(tmp_path, toy_manifest(800, 8))
    window = Window(10 * chunk_s, just_begun())
    outcome = toy_run(tmp_path, window=window, batch_items=8, compute_s=chunk_s)
    assert outcome.stop is ExitCode.INCOMPLETE
    assert 1 <= outcome.chunks_done <= 10
    assert outcome.chunks_left == manifest.arms[0].n_chunks - outcome.chunks_done
    records = [record for _, record in read_records(RunPaths(tmp_path))]
    assert all(r.at_s < 10 * chunk_s for r in records if isinstance(r, Started))
    slowest_s = max(r.seconds for r in records if isinstance(r, Committed))
    assert outcome.eta_s is not None
    assert 0.5 * chunk_s < outcome.eta_s / outcome.chunks_left < 1.8 * slowest_s
    assert outcome.windows_left is not None and outcome.windows_left >= 1


def test_events_tell_the_whole_story(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    events: list[Event] = []
    toy_run(tmp_path, batch_items=8, trouble=failing(3, 1), progress=events.append)
    kinds = [event.kind for event in events]
    assert kinds[0] == "session" and kinds[-1] == "closing"
    assert kinds.count("committed") == 8 and kinds.count("failed") == 1
    last = [event for event in events if event.kind == "committed"][-1]
    assert (last.arm, last.chunks_committed, last.items_committed) == ("one", 8, 64)


def test_no_thread_survives_a_session(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())

    def trouble(items: range) -> None:
        if items.start >= 16:
            raise BlockedError("b", "b", "b")

    with pytest.raises(BlockedError):
        toy_run(tmp_path, batch_items=8, trouble=trouble)
    toy_run(tmp_path)
    ours = [t.name for t in threading.enumerate() if t.name.startswith("ptyrun")]
    assert ours == []


def test_a_listener_that_fails_ends_the_session_and_loses_nothing(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest())

    def listener(event: Event) -> None:
        if event.kind == "committed" and event.chunks_committed >= 3:
            raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="terminal"):
        toy_run(tmp_path, batch_items=8, progress=listener)
    assert toy_run(tmp_path).stop is ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)


def test_a_session_whose_ledger_is_deleted_claims_nothing(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    paths = RunPaths(tmp_path)

    def delete(items: range) -> None:
        shutil.rmtree(paths.ledger, ignore_errors=True)

    with pytest.raises(StorageError, match="renamed, moved or deleted"):
        toy_run(tmp_path, batch_items=8, trouble=delete)

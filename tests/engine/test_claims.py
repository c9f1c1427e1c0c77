from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from ptyrun.engine.claims import Claims
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.records import Failed
from ptyrun.engine.schedule import Quota, Schedule
from ptyrun.engine.session_ledger import begin
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from tests.engine.children import spawn
from tests.engine.toys import planned, toy_manifest


def hold(folder: Path, session: str, chunks: range, shared: bool) -> None:
    claims = Claims(folder, session, shared=shared, lease_s=1.0)
    with claims.board():
        claims.take("one", chunks)
    (folder / "held").touch()
    time.sleep(60)


def hold_the_board(folder: Path, shared: bool) -> None:
    claims = Claims(folder, "theirs", shared=shared, lease_s=1.0)
    with claims.board():
        (folder / "held").touch()
        time.sleep(60)


@pytest.fixture(params=[False, True], ids=["one host", "shared"])
def shared(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def mine(tmp_path: Path, shared: bool) -> Iterator[Claims]:
    claims = Claims(tmp_path, "mine", shared=shared, lease_s=1.0)
    yield claims
    claims.close()


def held(folder: Path, shared: bool) -> ForkServerProcess:
    child = spawn(hold, folder, "theirs", range(3, 6), shared)
    deadline_s = time.monotonic() + 300
    while not (folder / "held").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return child


def test_what_a_living_worker_claims_is_seen_and_what_a_dead_one_did_is_not(
    tmp_path: Path, mine: Claims, shared: bool
) -> None:
    child = held(tmp_path, shared)
    assert mine.others("one") == {3, 4, 5}
    assert mine.others("two") == set()
    assert mine.is_alive("theirs")
    child.kill()
    child.join()
    assert mine.others("one") == set()
    assert not mine.is_alive("theirs")


def test_a_silent_worker_loses_its_claims_on_a_shared_folder_only(
    tmp_path: Path, mine: Claims, shared: bool
) -> None:
    child = held(tmp_path, shared)
    assert child.pid
    os.kill(child.pid, signal.SIGSTOP)
    assert mine.others("one") == {3, 4, 5}
    time.sleep(1.5)
    assert mine.others("one") == (set() if shared else {3, 4, 5})
    child.kill()
    child.join()


def test_own_claims_are_not_others(mine: Claims) -> None:
    with mine.board():
        mine.take("one", range(2))
    assert mine.others("one") == set()
    assert mine.is_alive("mine")


def test_everything_may_be_deleted_at_any_time(tmp_path: Path, mine: Claims, shared: bool) -> None:
    child = held(tmp_path, shared)
    shutil.rmtree(tmp_path)
    with mine.board():
        mine.take("one", range(2))
        assert mine.others("one") == set()
    mine.drop("one", range(2))
    mine.close()
    child.kill()
    child.join()


def test_claims_leave_one_small_file_per_session_and_none_at_its_end(
    tmp_path: Path, mine: Claims
) -> None:
    for chunk in range(50):
        with mine.board():
            mine.take("one", range(chunk, chunk + 1))
        mine.drop("one", range(chunk, chunk + 1))
    assert len(list(tmp_path.iterdir())) <= 4
    mine.close()
    assert [path.stem for path in tmp_path.iterdir()] in ([], ["board"])


def test_what_was_dropped_is_free_again_with_the_next_claim(
    tmp_path: Path, mine: Claims, shared: bool
) -> None:
    other = Claims(tmp_path, "other", shared=shared, lease_s=1.0)
    mine.take("one", range(3, 6))
    mine.take("one", range(8, 9))
    assert other.others("one") == {3, 4, 5, 8}
    mine.drop("one", range(3, 6))
    mine.take("one", range(6, 7))
    assert other.others("one") == {6, 8}
    other.close()


def test_no_claim_is_too_large_to_read(tmp_path: Path, mine: Claims, shared: bool) -> None:
    child = held(tmp_path, shared)
    (tmp_path / "theirs.claim").write_text('{"one": [[0, 1000000000000000]]}')
    assert mine.others("one") == set()
    child.kill()
    child.join()


def test_a_million_claims_of_a_million_chunks_take_no_time(
    tmp_path: Path, mine: Claims, shared: bool
) -> None:
    child = held(tmp_path, shared)
    (tmp_path / "theirs.claim").write_text(json.dumps({"one": [[0, 2**20]] * 100_000}))
    began_s = time.process_time()
    assert len(mine.others("one")) <= 2**20
    assert time.process_time() - began_s < 5
    child.kill()
    child.join()


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_claim_that_is_no_file_is_neither_waited_for_nor_followed(
    tmp_path: Path, mine: Claims, shared: bool, kind: str
) -> None:
    child = held(tmp_path, shared)
    claim = tmp_path / "theirs.claim"
    claim.unlink()
    (tmp_path / "elsewhere").write_text('{"one": [[0, 4]]}')
    if kind == "fifo":
        os.mkfifo(claim)
    else:
        claim.symlink_to("elsewhere")
    assert mine.others("one") == set()
    child.kill()
    child.join()


def test_claims_that_cannot_be_kept_end_nothing(tmp_path: Path, shared: bool) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/mine.lock").mkdir()
    (tmp_path / "odd/mine.claim").mkdir()
    (tmp_path / "odd/board.lock").symlink_to("board.lock")
    for folder in ("file", "odd", "none/below"):
        claims = Claims(tmp_path / folder, "mine", shared=shared, lease_s=1.0)
        with claims.board():
            assert claims.others("one") == set()
            claims.take("one", range(2))
        claims.drop("one", range(2))
        claims.close()


def test_a_stopped_worker_that_holds_the_board_holds_up_nothing(
    tmp_path: Path, mine: Claims, shared: bool
) -> None:
    child = spawn(hold_the_board, tmp_path, shared)
    deadline_s = time.monotonic() + 60
    while not (tmp_path / "held").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    assert child.pid
    os.kill(child.pid, signal.SIGSTOP)
    began_s = time.monotonic()
    for chunk in range(20):
        with mine.board():
            mine.take("one", range(chunk, chunk + 1))
    assert time.monotonic() - began_s < 10, "a second for the first, nothing for the others"
    child.kill()
    child.join()


def test_a_claim_that_makes_no_sense_is_passed_by(
    tmp_path: Path, mine: Claims, shared: bool
) -> None:
    child = held(tmp_path, shared)
    (tmp_path / "theirs.claim").write_text('{"one": [[3]]}')
    assert mine.others("one") == set()
    for text in ("[", "[" * 100_000, "[]", '{"one": 7}', '{"one": [[0, 1e9]]}', "\0" * 100):
        (tmp_path / "theirs.claim").write_text(text)
        assert mine.others("one") == set()
    (tmp_path / "theirs.claim").write_text(f'{{"one": [[0, 1{"0" * 40}]]}}')
    assert mine.others("one") == set()
    child.kill()
    child.join()


def test_claiming_is_cheap(mine: Claims) -> None:
    began_s = time.process_time()
    for chunk in range(200):
        with mine.board():
            mine.others("one")
            mine.take("one", range(chunk, chunk + 1))
        mine.drop("one", range(chunk, chunk + 1))
    assert (time.process_time() - began_s) / 200 < 0.02, "0.5 to 2 ms on a quiet machine"


def test_what_others_claim_is_not_taken(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest(16, 4))
    ledger = Ledger(RunPaths(tmp_path), manifest)
    boards = [Claims(RunPaths(tmp_path).claims, name) for name in ("mine", "theirs")]
    mine, theirs = (
        Schedule(manifest.arms[0], ledger, board, Quota(None), max_attempts=3) for board in boards
    )
    first, second = theirs.take(), mine.take()
    assert first is not None and second is not None
    assert not set(first.chunks) & set(second.chunks)
    for board in boards:
        board.close()


def test_what_a_session_gave_back_is_free_for_others_once_it_claims_something_else(
    tmp_path: Path,
) -> None:
    manifest = planned(tmp_path, toy_manifest(16, 4))
    paths = RunPaths(tmp_path)
    claims, theirs = Claims(paths.claims, "mine"), Claims(paths.claims, "theirs")
    ledger = Ledger(paths, manifest)
    schedule = Schedule(manifest.arms[0], ledger, claims, Quota(None), max_attempts=3)

    failed = schedule.take()
    assert failed is not None and theirs.others("one") == set(failed.chunks)
    session = begin(ledger, None, Process.current(), "test")
    session.append([Failed("one", failed.chunks[0], 1, "refused", "", 0.0)])
    schedule.finished(failed.chunks, {failed.chunks[0]: 1})
    following = schedule.take()

    assert following is not None and following.chunks != failed.chunks
    assert theirs.others("one") == set(following.chunks)
    claims.close()
    theirs.close()
    session.abandon()

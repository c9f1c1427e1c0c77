"""Does a lock keep others out, is it free when its holder dies, and does a hint never hold up?"""

from __future__ import annotations

import errno
import fcntl
import gc
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from ptyrun.errors import BusyError, ClosedWhileWaitingError, StorageError
from ptyrun.host import heartbeat, locks
from ptyrun.host.heartbeat import BeatingFile, Holder, Sight, stands_at
from ptyrun.host.locks import Hint, Lock, exclude, is_held, watch
from tests.engine.children import spawn

REFUSALS = ("ENOSYS", "ENOLCK", "EOPNOTSUPP")


def without_kernel_locks(code: str = "ENOSYS") -> Callable[[], None]:
    """Let flock answer as a file system without locks does; return what undoes it."""
    real = fcntl.flock

    def refuse(handle: int, operation: int) -> None:
        raise OSError(getattr(errno, code), "no locks")

    setattr(fcntl, "flock", refuse)  # noqa: B010 - its stub has another form
    return lambda: setattr(fcntl, "flock", real)


@pytest.fixture(autouse=True)
def no_beat_outlives_its_test() -> Iterator[None]:
    yield
    for each in gc.get_objects():
        # Not isinstance: what else lives may answer ``__class__`` with a warning.
        if issubclass(type(each), BeatingFile):
            each.remove()


@pytest.fixture(params=["kernel", *REFUSALS])
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    undo = (lambda: None) if request.param == "kernel" else without_kernel_locks(request.param)
    yield str(request.param)
    undo()


def hold(path: Path, kind: str, **options: Any) -> None:
    if kind != "kernel":
        without_kernel_locks(kind)
    lock = Lock(path, **options)
    assert lock.try_acquire()
    path.with_name("taken").touch()
    time.sleep(60)


def held(path: Path, kind: str, **options: Any) -> ForkServerProcess:
    child = spawn(hold, path, kind, **options)
    deadline_s = time.monotonic() + 300
    while not path.with_name("taken").exists():
        assert time.monotonic() < deadline_s and child.is_alive()
        time.sleep(0.01)
    return child


def end(child: ForkServerProcess) -> None:
    child.kill()
    child.join()


def test_one_at_a_time_and_the_next_when_the_holder_was_killed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "plan.lock"
    child = held(path, kind)
    mine = Lock(path)
    assert not mine.try_acquire()
    assert is_held(path)
    holder = mine.holder()
    assert holder is not None
    assert f"PID {child.pid} on {holder.process.host}, for" in str(holder)
    end(child)
    assert not is_held(path)
    assert mine.acquire(wait_s=0)
    assert not Lock(path).try_acquire(), "also within one process"
    mine.release()
    assert Lock(path).try_acquire()


def look_on(path: Path) -> None:
    while True:
        is_held(path)


def test_a_look_from_outside_refuses_the_lock_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "stage.lock"
    watchers = [spawn(look_on, path) for _ in range(2)]
    refused = 0
    for _ in range(5000):
        lock = Lock(path)
        refused += not lock.try_acquire()
        lock.release()
    for child in watchers:
        assert child.is_alive()
        end(child)
    assert refused == 0


def test_of_many_who_want_it_at_once_one_has_it(tmp_path: Path) -> None:
    path = tmp_path / "stage.lock"
    child = spawn(look_on, path)
    inside, most, taken = [0], [0], [0]
    guard = threading.Lock()

    def take() -> None:
        for _ in range(300):
            lock = Lock(path, momentary=True)
            if lock.try_acquire():
                with guard:
                    inside[0] += 1
                    most[0], taken[0] = max(most[0], inside[0]), taken[0] + 1
                time.sleep(0)
                with guard:
                    inside[0] -= 1
            lock.release()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end(child)
    assert most == [1] and taken[0] > 0


def is_in_place(lock: Lock) -> bool:
    """Whether what a lock holds still stands under its name."""
    return stands_at(lock._handle, lock.path) or lock._file.is_there


def test_a_lock_that_was_deleted_under_its_holder_counts_no_more(tmp_path: Path, kind: str) -> None:
    first = Lock(tmp_path / "x.lock")
    assert first.try_acquire() and is_in_place(first)
    for path in tmp_path.iterdir():
        path.unlink()
    assert not is_in_place(first)
    second = Lock(tmp_path / "x.lock")
    assert second.try_acquire()
    first.release()
    assert is_in_place(second), "what another one holds is left alone"
    second.release()


def test_a_lock_file_that_is_deleted_while_it_is_being_locked_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.lock"
    lock = fcntl.flock

    def deleted_just_before(handle: int, operation: int) -> None:
        path.unlink()
        monkeypatch.setattr(fcntl, "flock", lock)
        lock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", deleted_just_before)
    late, other = Lock(path), Lock(path)
    assert not late.try_acquire(), "a file without a name excludes no process"
    assert other.try_acquire() and is_in_place(other)
    assert not late.try_acquire()
    other.release()
    assert late.try_acquire()
    late.release()


def test_a_holder_is_named_with_the_way_out(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "plan.lock"
    child = held(path, kind)
    notes: list[str] = []
    with pytest.raises(BusyError) as refused:
        exclude(Lock(path), "plans this run", wait_s=0.2, note=notes.append)
    assert f"PID {child.pid} on" in str(refused.value)
    assert f"kill {child.pid}" in str(refused.value)
    assert len(notes) == 1 and f"PID {child.pid} on" in notes[0]
    end(child)
    exclude(Lock(path), "plans this run", wait_s=0)


def test_waiting_ends_with_the_window(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "plan.lock"
    child = held(path, kind)
    began_s = time.monotonic()
    with pytest.raises(ClosedWhileWaitingError) as closed:
        exclude(Lock(path), "plans", is_closing=lambda: time.monotonic() - began_s > 0.3)
    assert closed.value.exit_code == 75
    end(child)


def test_a_stopped_holder_is_named_as_that_and_not_waited_for_without_end(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "STOPPED_S", 0.3)
    path = tmp_path / "plan.lock"
    child = held(path, kind)
    assert child.pid
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(BusyError, match="stopped") as refused:
        exclude(Lock(path), "plans this run")
    assert f"kill -CONT {child.pid}" in str(refused.value)
    end(child)


def elsewhere(path: Path, **changes: Any) -> Path:
    """What a holder on another host leaves."""
    document = json.loads(Holder.current().to_bytes())
    document["process"] |= {"host": "elsewhere", "boot_id": "x"}
    whole = path.with_name(f"{path.name}.whole")  # never seen half written
    whole.write_text(json.dumps({**document, **changes}))
    whole.replace(path)
    return path


def test_a_holder_on_another_host_is_judged_by_what_is_seen_of_it_whatever_its_clock_says(
    tmp_path: Path,
) -> None:
    path = elsewhere(tmp_path / "plan.lock.held")
    for age_s in (0, 40, -40, 10**6):
        os.utime(path, (time.time() - age_s,) * 2)
        look = watch(tmp_path / "plan.lock", silent_s=0.4)
        assert look() is Sight.UNDECIDED
        time.sleep(0.5)
        assert look() is Sight.FREE, "nothing moves: dead"
    look = watch(tmp_path / "plan.lock", silent_s=0.4)
    for beat in range(6):
        elsewhere(path, beat=f"{beat:012d}")
        assert look() is (Sight.HELD if beat else Sight.UNDECIDED)
        time.sleep(0.2)


def test_a_lock_left_by_a_dead_holder_of_another_host_is_taken_over(tmp_path: Path) -> None:
    undo = without_kernel_locks()
    try:
        elsewhere(tmp_path / "finalize.lock.held")
        mine = Lock(tmp_path / "finalize.lock", silent_s=0.4)
        assert not mine.try_acquire()
        assert mine.acquire(wait_s=0), "what is not decided yet is waited for"
        mine.release()
        assert [path.name for path in tmp_path.iterdir()] == ["finalize.lock"]
    finally:
        undo()


def test_a_beating_holder_is_kept_although_it_is_out_of_sight(tmp_path: Path) -> None:
    undo = without_kernel_locks()
    path = tmp_path / "finalize.lock.held"
    ended = threading.Event()

    def beat() -> None:
        number = 0
        while not ended.wait(0.05):
            number += 1
            elsewhere(path, beat=f"{number:012d}")

    elsewhere(path)
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(BusyError, match="on elsewhere, since") as refused:
            exclude(Lock(tmp_path / "finalize.lock", silent_s=1.0), "assembles", wait_s=0.3)
        assert "if it no longer runs, delete" in str(refused.value)
    finally:
        ended.set()
        thread.join()
        undo()


@pytest.mark.parametrize("left", [b"", b"\0" * 40, b"[1]", b'{"pid": "7"}', b"{"])
def test_a_lock_file_that_makes_no_sense_is_taken_over_after_a_while(
    tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "x.lease").write_bytes(left)
    assert Lock(tmp_path / "x.lease", everywhere=True, silent_s=0.3).acquire(wait_s=0)


def test_a_file_system_without_locks_is_told_of_once(tmp_path: Path) -> None:
    locks._said.clear()
    undo = without_kernel_locks("ENOLCK")
    said: list[str] = []
    try:
        for name in ("a.lock", "b.lock"):
            assert Lock(tmp_path / name, say=said.append).try_acquire()
    finally:
        undo()
    assert len(said) == 1 and "has no locks" in said[0]


def test_a_hint_waits_a_second_at_most_and_once(tmp_path: Path, kind: str) -> None:
    child = held(tmp_path / "board.lock", kind)
    hint = Hint(tmp_path / "board.lock")
    began_s = time.monotonic()
    with hint.held():
        first_s = time.monotonic() - began_s
    for _ in range(20):
        with hint.held():
            pass
    assert first_s >= locks.HINT_S
    # Twenty times a second, if each one waited.
    assert time.monotonic() - began_s < first_s + 15 * locks.HINT_S
    end(child)
    with hint.held():
        assert not Lock(tmp_path / "board.lock").try_acquire(), "free again: held again"


def test_a_hint_waits_for_nothing_when_the_session_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = held(tmp_path / "board.lock", "kernel")
    with monkeypatch.context() as patched:
        patched.setattr(time, "sleep", lambda seconds: pytest.fail(f"it waits for {seconds} s"))
        with Hint(tmp_path / "board.lock", is_closing=lambda: True).held():
            pass
    end(child)


def test_a_hint_never_raises(tmp_path: Path) -> None:
    (tmp_path / "board.lock").mkdir()
    os.mkfifo(tmp_path / "pipe.lock")
    (tmp_path / "loop.lock").symlink_to("loop.lock")
    (tmp_path / "file").touch()
    for path in ("board.lock", "pipe.lock", "loop.lock", "file/x.lock", "gone/x.lock", "x" * 300):
        with Hint(tmp_path / path).held():
            pass
    with pytest.raises(StorageError):
        Lock(tmp_path / "board.lock").try_acquire()


def test_a_file_beats_until_it_is_removed(tmp_path: Path) -> None:
    beating = BeatingFile(tmp_path / "x", beat_s=0.02)
    assert beating.create()
    first = (tmp_path / "x").read_bytes()
    deadline_s = time.monotonic() + 300
    while (tmp_path / "x").read_bytes() == first:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    beating.remove()
    assert not (tmp_path / "x").exists()
    assert heartbeat.BEAT_S * 5 <= heartbeat.SILENT_S, "two lost beats kill nothing"


@pytest.mark.parametrize(
    "change",
    [
        {"since_boot_s": 10**400},
        {"since_boot_s": True},
        {"since": 7},
        {"token": None},
        {"pid_namespace": ["x"]},
        {"process": {"host": ["x"]}},
        {"process": {"pid": 1.5}},
        {"process": {"pid": 10**30}},
        {"process": 7},
    ],
)
def test_a_holder_of_other_types_is_none(change: dict[str, object]) -> None:
    document = json.loads(Holder.current().to_bytes())
    inside = change.get("process")
    if isinstance(inside, dict):
        change = {"process": {**document["process"], **inside}}
    assert Holder.from_bytes(json.dumps({**document, **change}).encode()) is None


@pytest.mark.parametrize("data", [b"", b"[" * 60_000, b"[]", b"\xff", b"NaN", b'{"process": {}}'])
def test_what_is_no_document_names_no_holder(data: bytes) -> None:
    assert Holder.from_bytes(data) is None


def test_a_lock_that_is_no_file_names_no_holder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    (tmp_path / "link").symlink_to("/dev/zero")
    assert locks.holder_of(tmp_path / "lock") is None
    assert locks.holder_of(tmp_path / "link") is None

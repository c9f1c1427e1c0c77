from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.engine import presence
from ptyrun.engine.claims import LEASE, Claims
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.presence import require_no_active_session
from ptyrun.engine.session_ledger import begin
from ptyrun.errors import BusyError
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from tests.engine.children import spawn, work
from tests.engine.toys import planned, toy_manifest, toy_run


def test_a_living_session_is_named_and_a_dead_one_is_not(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest(320, 4))
    paths = RunPaths(tmp_path)
    require_no_active_session(paths)
    child = spawn(work, tmp_path, batch_items=4, compute_s=0.1)
    deadline_s = time.monotonic() + 300
    while not any(path.stat().st_size for path in paths.ledger.glob("*")):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    with pytest.raises(BusyError, match=f"process {child.pid} on"):
        require_no_active_session(paths)
    child.kill()
    child.join()
    require_no_active_session(paths)


def test_sessions_that_ended_in_good_order_are_nobody(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    toy_run(tmp_path, max_chunks=2)
    toy_run(tmp_path)
    require_no_active_session(RunPaths(tmp_path))


def test_a_session_that_has_only_begun_is_seen_by_its_process(tmp_path: Path) -> None:
    manifest: Manifest = planned(tmp_path, toy_manifest())
    paths = RunPaths(tmp_path)
    begin(
        open_ledger(paths, manifest), None, Process.current(), "0"
    )  # it has no lock, no lease yet
    with pytest.raises(BusyError, match=f"process {os.getpid()} on"):
        require_no_active_session(paths)


def test_a_session_in_another_container_of_this_host_is_seen_by_its_lock(tmp_path: Path) -> None:
    manifest: Manifest = planned(tmp_path, toy_manifest())
    paths = RunPaths(tmp_path)
    unknown = replace(Process.current(), pid=2**22 + 1)  # its number means nothing here
    session = begin(open_ledger(paths, manifest), None, unknown, "0")
    claims = Claims(paths.claims, session.name)
    with pytest.raises(BusyError, match="a session works on"):
        require_no_active_session(paths)
    claims.close()
    require_no_active_session(paths)


@pytest.mark.parametrize("skew_s", [0, 40, -(10**6)])
def test_a_session_of_another_host_is_believed_while_its_lease_is_seen_to_beat(
    tmp_path: Path, skew_s: int
) -> None:
    manifest: Manifest = planned(tmp_path, toy_manifest())
    paths = RunPaths(tmp_path)
    elsewhere = Process("elsewhere", "another boot", 7, 1.0)
    session = begin(open_ledger(paths, manifest), None, elsewhere, "0")
    require_no_active_session(paths)
    paths.claims.mkdir()
    lease = paths.claims / f"{session.name}{LEASE}"
    lease.touch()
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.1):
            now_s = time.time() - skew_s  # by the clock of the other host
            os.utime(lease, (now_s, now_s))

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(BusyError, match="process 7 on elsewhere"):
            require_no_active_session(paths)
    finally:
        ended.set()
        thread.join()


def test_a_session_of_another_host_that_shows_no_sign_of_life_is_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "SILENT_S", 0.5)
    manifest: Manifest = planned(tmp_path, toy_manifest())
    paths = RunPaths(tmp_path)
    session = begin(open_ledger(paths, manifest), None, Process("elsewhere", "x", 7, 1.0), "0")
    paths.claims.mkdir()
    lease = paths.claims / f"{session.name}{LEASE}"
    for mtime_s in (0.0, time.time(), time.time() + 10**6):
        lease.touch()
        os.utime(lease, (mtime_s, mtime_s))
        require_no_active_session(paths)

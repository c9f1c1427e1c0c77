"""May a session begin as soon as the one before it has said how it ended?"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.background import tracked_session
from ptyrun.background.tracked_session import held_session
from ptyrun.comparison.tracked import Ending, TrackedProcess
from ptyrun.errors import BusyError
from ptyrun.host import durable
from ptyrun.host.locks import Lock
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT

DIGEST = "0" * 64


def begin(paths: RunPaths) -> None:
    with held_session(paths, DIGEST, ("ptyrun", "start"), "", SILENT, take_over=False):
        pass


def test_a_session_that_takes_its_time_to_leave_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = RunPaths(tmp_path)
    durable.make_folder(paths.process_lock.parent)
    begin(paths)
    tracked = TrackedProcess.find(paths.process)
    assert tracked is not None
    replace(tracked, **vars(Ending(0, "complete", "", None, 1))).save(paths.process)
    monkeypatch.setattr(tracked_session, "LOCK_PATIENCE_S", 0.01)
    lock = Lock(paths.process_lock)
    assert lock.try_acquire()
    threading.Timer(0.3, lock.release).start()
    begin(paths)
    with Lock(paths.process_lock) as stranger:
        assert stranger.try_acquire()
        paths.process_lock.write_bytes(b"")  # who does not say who it is
        with pytest.raises(BusyError):
            begin(paths)

"""Is a window that waited for another session told from one that was too short?"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ptyrun.engine import patience, runner
from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode
from ptyrun.host.advice import ASKED_FOR, asked_for
from ptyrun.host.attempts import Attempts
from ptyrun.paths import RunPaths
from tests.engine.children import spawn, work
from tests.engine.toys import just_begun, planned, toy_manifest, toy_run


def test_a_loop_hears_that_its_window_waited_for_another_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(tmp_path, toy_manifest(4, 4))
    child = spawn(work, tmp_path, compute_s=3600.0)
    deadline_s = time.monotonic() + 300
    while not list(RunPaths(tmp_path).claims.glob("*.claim")):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    monkeypatch.setattr(runner, "ATTEMPTS", Attempts())
    with asked_for() as advice:
        monkeypatch.setenv(ASKED_FOR, advice.environment[ASKED_FOR])
        outcome = toy_run(tmp_path, window=Window(2.0, process=just_begun()))
        assert (outcome.stop, outcome.reason) == (ExitCode.INCOMPLETE, patience.WAITED)
        assert advice.take() is None
        assert advice.has_waited
    child.kill()
    child.join()

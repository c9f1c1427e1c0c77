"""Does a session that was started under nohup outlive its terminal?"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from ptyrun.errors import ExitCode
from tests.engine.children import spawn, work
from tests.engine.toys import decoded, expected, planned, toy_manifest
from tests.host.test_signals import wait_for_commits


def work_under_nohup(folder: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    work(folder, batch_items=8, compute_s=0.02)


def test_a_session_under_nohup_goes_on_ignoring_sighup(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest(240, 8))
    child = spawn(work_under_nohup, tmp_path)
    wait_for_commits(tmp_path, 2)
    assert child.pid
    os.kill(child.pid, signal.SIGHUP)
    child.join()
    assert child.exitcode == ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)

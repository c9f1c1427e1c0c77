"""Does the lock of planning hold the folder that stands there, whoever sets it aside meanwhile?"""

from __future__ import annotations

import multiprocessing
import secrets
import time
from contextlib import suppress
from pathlib import Path

from ptyrun.engine.plan_lock import PlanLock
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT

STRESS_S = 1.5


def lock_again_and_again(root: Path, until_s: float) -> None:
    while time.monotonic() < until_s:
        with PlanLock(RunPaths(root / "run"), SILENT):
            pass


def test_a_folder_may_be_set_aside_at_any_moment(tmp_path: Path) -> None:
    until_s = time.monotonic() + STRESS_S
    context = multiprocessing.get_context("fork")
    lockers = [
        context.Process(target=lock_again_and_again, args=(tmp_path, until_s)) for _ in range(2)
    ]
    for locker in lockers:
        locker.start()
    n_aside = 0
    while any(locker.is_alive() for locker in lockers):
        with suppress(OSError):
            (tmp_path / "run").rename(tmp_path / secrets.token_hex(6))
            n_aside += 1
    assert [locker.exitcode for locker in lockers] == [0, 0]
    assert n_aside > 10

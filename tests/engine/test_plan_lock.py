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

ENOUGH, PATIENCE_S = 20, 300


def lock_again_and_again(root: Path) -> None:
    while not (root / "enough").exists():
        with PlanLock(RunPaths(root / "run"), SILENT):
            pass


def test_a_folder_may_be_set_aside_at_any_moment(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    lockers = [context.Process(target=lock_again_and_again, args=(tmp_path,)) for _ in range(2)]
    for locker in lockers:
        locker.start()
    n_aside, until_s = 0, time.monotonic() + PATIENCE_S
    while n_aside < ENOUGH and time.monotonic() < until_s:
        with suppress(OSError):
            (tmp_path / "run").rename(tmp_path / secrets.token_hex(6))
            n_aside += 1
    (tmp_path / "enough").touch()
    for locker in lockers:
        locker.join(PATIENCE_S)
    assert [locker.exitcode for locker in lockers] == [0, 0]
    assert n_aside == ENOUGH

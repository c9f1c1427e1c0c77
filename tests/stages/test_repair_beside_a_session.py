"""What is told of a run while a session works on it, and is it left alone by a repair?"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.engine.integrity import Level
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import BusyError
from ptyrun.paths import RunPaths
from ptyrun.stages.status import RunState, _status
from ptyrun.stages.verify import verify
from tests.engine.children import spawn, work
from tests.engine.toys import planned, toy_manifest


def test_a_repair_beside_a_session_is_refused_and_a_look_is_not(tmp_path: Path) -> None:
    toy = toy_manifest(4000, 4)
    planned(tmp_path, replace(toy, sources={**toy.sources, "arm.one": "weights"}))
    paths = RunPaths(tmp_path)
    child = spawn(work, tmp_path, batch_items=4, compute_s=0.05)
    try:
        deadline_s = time.monotonic() + 120
        while not list(paths.arrays.glob("one/patches/c.*.0.0")):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        before = {path.name for path in paths.ledger.iterdir()}
        with pytest.raises(BusyError, match=f"process {child.pid} on"):
            verify(tmp_path, repair=True)
        assert {path.name for path in paths.ledger.iterdir()} == before
        assert verify(tmp_path, Level.SIZE).damages == ()
    finally:
        child.kill()
        child.join()
    assert verify(tmp_path, repair=True).beyond_repair == ()


def test_a_session_that_ends_during_the_look_is_told_with_all_that_it_did(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest(64, 4))
    paths = RunPaths(tmp_path)
    child = spawn(work, tmp_path, batch_items=4, compute_s=0.1)
    deadline_s = time.monotonic() + 120
    while not list(paths.arrays.glob("one/patches/c.*.0.0")):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    ledger = open_ledger(paths, Manifest.of(paths))
    child.join(120)
    assert child.exitcode == 0
    assert _status(paths, ledger).state is RunState.COMPLETE

"""Does a run wait for a device that another holds, and only if there is something to compute?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ptyrun.devices import hold_devices
from tests.background.conftest import Bench, until


def test_a_run_is_refused_or_waits_while_another_holds_its_device(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", bench.environment["XDG_RUNTIME_DIR"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with hold_devices(tmp_path / "another run", 0, lock_cpu=True):
        refused = bench.do("run", "--lock-cpu")
        assert refused.returncode == 1
        assert f"PID {os.getpid()} on" in refused.stderr
        assert "another run" in refused.stderr
        assert bench.commits() == 0
        patient = bench.begin("run", "--lock-cpu", "--device-wait", "50s")
        assert patient.stderr is not None
        until(lambda: "waiting up to 50 s for the CPU" in patient.stderr.readline())
        assert bench.commits() == 0
    _, said = patient.communicate(timeout=50)
    assert patient.returncode == 0, said
    assert bench.commits() == 6
    with hold_devices(tmp_path, 0, lock_cpu=True):
        assert bench.do("run", "--lock-cpu").returncode == 0, "nothing is left that needs a device"

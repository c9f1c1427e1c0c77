"""Do runs that ask for a device of their own wait for each other, and only while they compute?"""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from ptyrun.devices import hold_devices
from tests.background.conftest import Bench, until


def test_a_run_keeps_its_device_to_itself_while_it_computes(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = Bench(bench.inputs, tmp_path / "rival")
    shutil.copytree(bench.run, rival.run)
    bench.pace = {"batch_s": 4.0}
    session = bench.begin("run", "--lock-cpu")
    until(bench.commits)
    refused = rival.do("run", "--lock-cpu")
    assert refused.returncode == 1
    assert f"PID {session.pid} on" in refused.stderr
    assert str(bench.run) in refused.stderr
    assert rival.commits() == 0

    patient = rival.begin("run", "--lock-cpu", "--device-wait", "50s")
    assert patient.stderr is not None
    until(lambda: "waiting up to 50 s for the CPU" in patient.stderr.readline())
    assert rival.commits() == 0
    session.send_signal(signal.SIGTERM)
    session.communicate(timeout=30)
    _, said = patient.communicate(timeout=50)
    assert patient.returncode == 0, said
    rival.end()
    assert rival.commits() == 6

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(bench.inputs))
    with hold_devices(tmp_path, 0, True):
        assert rival.do("run", "--lock-cpu").returncode == 0, "nothing is left that needs a device"

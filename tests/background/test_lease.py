"""What if a worker on a shared folder sleeps past its lease, and wakes up again?"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from ptyrun.engine.integrity import verify
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode
from ptyrun.paths import RunPaths
from tests.engine.toys import decoded, expected, just_begun, planned, toy_manifest, toy_run
from tests.paced import until

LEASE_S = 1.0
SLEEPER = """
import sys
from pathlib import Path
from tests.engine.toys import toy_run
outcome = toy_run(Path(sys.argv[1]), compute_s=0.4, batch_items=8, shared=True, lease_s=1.0)
print(outcome.stop.name)
"""


def commits(run: Path) -> int:
    return sum(p.read_text().count('"event":"commit"') for p in (run / "ledger").glob("*.jsonl"))


def test_a_worker_stopped_past_its_lease_is_replaced_and_does_no_harm_when_it_wakes(
    tmp_path: Path,
) -> None:
    manifest: Manifest = planned(tmp_path, toy_manifest())
    words = [sys.executable, "-c", SLEEPER, str(tmp_path)]
    sleeper = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        until(lambda: commits(tmp_path))
        sleeper.send_signal(signal.SIGSTOP)
        until(lambda: psutil.Process(sleeper.pid).status() == psutil.STATUS_STOPPED)
        missing = 8 - commits(tmp_path)
        assert missing > 1
        window = Window(1000, just_begun())
        outcome = toy_run(tmp_path, window=window, shared=True, lease_s=LEASE_S)
        assert outcome.stop is ExitCode.COMPLETE, outcome.reason
        committed = decoded(tmp_path)
        sleeper.send_signal(signal.SIGCONT)
        said, _ = sleeper.communicate(timeout=300)
    finally:
        sleeper.kill()
    assert said.split() == ["COMPLETE"]
    assert decoded(tmp_path) == committed == expected(manifest)
    assert not verify(RunPaths(tmp_path))

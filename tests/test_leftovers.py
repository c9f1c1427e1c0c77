"""Is a process that a test leaves behind found, named and ended?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.engine.children import spawn
from tests.leftovers import PROC, Before
from tests.paced import until

pytestmark = pytest.mark.skipif(
    not PROC.joinpath("self/environ").exists(), reason="left-overs are told by /proc"
)
SLEEPER = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
# A process session of its own, whose parent is gone: only its environment says where it is from.
DETACHED = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], start_new_session=True)
"""


def forked(path: Path) -> None:
    path.write_text(str(os.getpid()))
    signal.pause()


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("how", ["child", "detached", "forked"])
def test_what_a_test_left_running_is_named_and_killed(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.leftovers.PATIENCE_S", 0.1)
    before = Before.now()
    told = tmp_path / "pid"
    words = [sys.executable, "-c", SLEEPER, str(told)]
    if how == "child":
        child = subprocess.Popen(words)
    elif how == "detached":
        subprocess.run([sys.executable, "-c", DETACHED, *words[2:]], check=True)
    else:
        spawn(forked, told)
    until(lambda: told.exists() and told.read_text())
    (named,) = before.end()
    assert named.startswith(told.read_text())
    until(lambda: is_gone(int(told.read_text())))
    assert not before.left_over()
    if how == "child":
        child.wait()


def test_what_was_there_before_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER, str(tmp_path / "pid")]) as child:
        assert not Before.now().left_over()
        assert child.poll() is None
        child.kill()


FAILING = """
import subprocess, sys
from tests import leftovers
from tests.conftest import _leaves_no_process
leftovers.PATIENCE_S = 0.1

def test_that_fails():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    assert False
"""


def test_a_failed_test_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    root = Path(__file__).resolve().parents[1]
    words = ["pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull]
    done = subprocess.run(
        [sys.executable, "-m", *words, "--rootdir", str(tmp_path), str(tmp_path / "test_it.py")],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "left these processes running" in done.stdout
    assert "time.sleep(600)" in done.stdout

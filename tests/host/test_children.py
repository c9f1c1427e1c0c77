"""Does a child hear what its parent hears, and never outlive it?"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.paced import until

# Writes its PID, notes every signal, ends with 75 when asked to.
CHILD = """
import os, signal, sys, time
folder = sys.argv[1]
def note(number, frame):
    with open(f"{folder}/heard", "a") as file:
        print(signal.Signals(number).name, file=file, flush=True)
    if number in (signal.SIGTERM, signal.SIGUSR1):
        sys.exit(75)
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
    signal.signal(number, note)
if "grandchild" in sys.argv:
    if os.fork() == 0:
        open(f"{folder}/grandchild.pid", "w").write(str(os.getpid()))
        time.sleep(600)
open(f"{folder}/child.new", "w").write(str(os.getpid()))
os.rename(f"{folder}/child.new", f"{folder}/child.pid")
while "returns" not in sys.argv:
    time.sleep(0.02)
"""
PARENT = """
import sys
from ptyrun.host.children import Parent
with Parent() as parent:
    code = parent.call([sys.executable, "-c", *sys.argv[1:]])
    print(code, parent.caught and parent.caught.name)
"""


def family(folder: Path, *how: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PARENT, CHILD, str(folder), *how]
    parent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    until((folder / "child.pid").exists)
    return parent


def pid(folder: Path, name: str = "child") -> int:
    return int((folder / f"{name}.pid").read_text())


def is_gone(number: int) -> bool:
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        *[("SIGTERM", "SIGTERM"), ("SIGUSR1", "SIGUSR1"), ("SIGUSR2", "SIGTERM")],
        *[("SIGHUP", "SIGTERM"), ("SIGXCPU", "SIGTERM")],
    ],
)
def test_a_signal_is_handed_on_once(tmp_path: Path, sent: str, heard: str) -> None:
    parent = family(tmp_path)
    parent.send_signal(signal.Signals[sent])
    said, _ = parent.communicate(timeout=300)
    assert said.split() == ["75", sent]
    assert (tmp_path / "heard").read_text().split() == [heard]


def test_the_first_ctrl_c_asks_the_child_and_the_second_kills_it(tmp_path: Path) -> None:
    parent = family(tmp_path)
    parent.send_signal(signal.SIGINT)
    until((tmp_path / "heard").exists)
    assert parent.poll() is None
    parent.send_signal(signal.SIGINT)
    said, _ = parent.communicate(timeout=300)
    assert said.split() == ["-9", "SIGINT"]
    assert (tmp_path / "heard").read_text().split() == ["SIGINT"]


def test_a_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    parent = family(tmp_path)
    parent.kill()
    parent.communicate()
    until(lambda: is_gone(pid(tmp_path)))


def test_what_a_child_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    parent = family(tmp_path, "grandchild", "returns")
    said, _ = parent.communicate(timeout=300)
    assert said.split() == ["0", "None"]
    until(lambda: is_gone(pid(tmp_path, "grandchild")))


def test_ctrl_z_stops_both_and_fg_lets_both_go_on(tmp_path: Path) -> None:
    parent = family(tmp_path)
    parent.send_signal(signal.SIGTSTP)
    both = [psutil.Process(parent.pid), psutil.Process(pid(tmp_path))]
    until(lambda: all(each.status() == psutil.STATUS_STOPPED for each in both))
    parent.send_signal(signal.SIGCONT)
    until(lambda: all(each.status() != psutil.STATUS_STOPPED for each in both))
    parent.terminate()
    assert parent.communicate(timeout=300)[0].split() == ["75", "SIGTERM"]


def test_what_was_ignored_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        parent = family(tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    parent.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert parent.poll() is None
    assert not (tmp_path / "heard").exists()
    parent.terminate()
    parent.communicate(timeout=300)


def test_a_signal_before_the_child_begins_keeps_it_from_beginning(tmp_path: Path) -> None:
    code = PARENT.replace("    code", "    os.kill(os.getpid(), 15)\n    code", 1)
    words = [sys.executable, "-c", "import os" + code, CHILD, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.split() == [str(-signal.SIGTERM), "SIGTERM"]
    assert not any(tmp_path.iterdir())

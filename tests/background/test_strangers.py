"""Can a run's folder from somebody else have a stranger signalled, a file shown, a terminal led?"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from tests.background.test_tracked import tracked
from tests.paced import Bench


def test_a_stranger_that_a_document_names_is_not_signalled(bench: Bench) -> None:
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        for lock in ("gone", "there"):
            named(bench, stranger.pid)
            if lock == "there":
                (bench.run / "process.lock").touch()
            done = bench.do("stop", "--grace", "1s")
            assert done.returncode == 1
            assert f"PID {stranger.pid} cannot be confirmed as a session" in done.stderr
            assert "no signal was sent" in done.stderr
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_stranger_is_not_killed_with_a_session_that_is_gone(bench: Bench) -> None:
    """The leader died, and what is left of its process session is none of the run's."""
    words = "sleep 600 & echo $!; exec sleep 0.5"
    leader = subprocess.Popen(
        ["sh", "-c", words], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    assert leader.stdout is not None
    left = psutil.Process(int(leader.stdout.readline()))
    leader.stdout.close()
    try:
        named(bench, leader.pid)
        leader.wait()
        assert os.getsid(left.pid) == leader.pid
        assert "ended already" in bench.do("stop", "--grace", "1s").stdout
        assert left.is_running()
    finally:
        left.kill()


def test_a_stranger_that_holds_the_lock_without_the_token_is_not_signalled(bench: Bench) -> None:
    lock = bench.run / "process.lock"
    lock.touch()
    holding = (
        "import fcntl, sys, time; handle = open(sys.argv[1]);"
        "fcntl.flock(handle, fcntl.LOCK_EX); print('held', flush=True); time.sleep(600)"
    )
    stranger = subprocess.Popen(
        [sys.executable, "-c", holding, str(lock)],
        start_new_session=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == "held\n"
        stranger.stdout.close()
        named(bench, stranger.pid)
        assert bench.do("stop", "--grace", "1s").returncode == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def named(bench: Bench, pid: int) -> None:
    """Let ``process.json`` name any process, all else as it must be."""
    who = replace(tracked(pid), manifest_digest=str(bench.document("manifest.json")["digest"]))
    who.save(bench.run / "process.json")


@pytest.mark.parametrize("log", ["/etc/hostname", "../../x", "/dev/zero", "logs/../manifest.json"])
def test_a_log_elsewhere_is_not_shown(bench: Bench, log: str) -> None:
    replace(tracked(os.getpid()), log=log).save(bench.run / "process.json")
    done = bench.do("logs")
    assert done.returncode == 2
    assert "process.json" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_log_that_is_no_file_is_not_shown(bench: Bench, kind: str) -> None:
    (bench.run / "logs").mkdir(exist_ok=True)
    place = bench.run / "logs" / "background.log"
    os.mkfifo(place) if kind == "fifo" else place.symlink_to("/etc/hostname")
    tracked(os.getpid()).save(bench.run / "process.json")
    for words in (["logs"], ["logs", "-f"]):
        done = bench.do(*words)
        assert done.returncode == 2
        assert str(place) in done.stderr
        assert not done.stdout


COMMANDS = (("logs",), ("wait", "--timeout", "0.1s"), ("stop",), ("start",))


def test_nothing_that_a_document_or_a_log_says_is_obeyed_by_a_terminal(bench: Bench) -> None:
    (bench.run / "logs").mkdir(exist_ok=True)
    (bench.run / "logs" / "background.log").write_text("fine\n\x1b]0;pwned\x07 \u202ereversed\n")
    who = replace(tracked(os.getpid()), argv=("ptyrun", "\x1b]0;x\x07"), reason="\x1b[2J")
    for host, found in (("far-away", "\\x1b"), ("\x1b[2Jhost", "host has control characters")):
        replace(who, host=host).save(bench.run / "process.json")
        said = {words[0]: bench.do(*words) for words in COMMANDS}
        assert found in said["logs"].stdout + said["logs"].stderr
        for word, done in said.items():
            assert not {"\x1b", "\x07", "\u202e"} & {*done.stdout, *done.stderr}, word

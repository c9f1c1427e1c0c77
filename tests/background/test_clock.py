"""What if somebody sets the clock back while ptyrun works? Nothing may depend on it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ptyrun.background.control import observe
from ptyrun.host.processes import Standing
from tests.paced import Bench, until, windows_s

# Loaded before the C library: once the file appears, every wall clock of the process is a day back.
# The machine's own clock is not touched; monotonic and boot clocks are as the kernel gives them.
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long back(void) {
    const char *file = getenv("CLOCK_SET_BACK");
    return file && access(file, F_OK) == 0 ? 86400 : 0;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec -= back();
    return result;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(now, zone);
    now->tv_sec -= back();
    return result;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to build the clock with")
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(SHIM, encoding="utf-8")
    library = folder / "clock.so"
    words = [compiler, "-shared", "-fPIC", "-o", str(library), str(folder / "clock.c"), "-ldl"]
    subprocess.run(words, check=True)
    return library


@pytest.fixture
def set_back(bench: Bench, shim: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every process of this test takes its time from the shim; the file sets it back."""
    switch = bench.run / "set_back"
    monkeypatch.setenv("LD_PRELOAD", str(shim))
    monkeypatch.setenv("CLOCK_SET_BACK", str(switch))
    return switch


def test_the_clock_of_this_test_goes_back(set_back: Path) -> None:
    ask = ["date", "+%s"]
    before = int(subprocess.check_output(ask))
    set_back.touch()
    assert 86390 <= before - int(subprocess.check_output(ask)) <= 86400


def test_a_window_is_neither_longer_nor_shorter(bench: Bench, set_back: Path) -> None:
    for window_s in windows_s():
        bench.pace = {"batch_s": window_s / 4}
        session = bench.begin("run", "--window", f"{window_s}s")
        running = session
        until(lambda: bench.commits() or running.poll() is not None)  # noqa: B023
        set_back.touch()
        session.communicate(timeout=300)
        assert session.returncode == 75, "without end it would have had time for all six chunks"
        if bench.commits() > 1:
            break
        shutil.rmtree(bench.run)
        shutil.copytree(bench.inputs / "planned", bench.run)  # with the clock as it was
    (ledger,) = (bench.run / "ledger").glob("*.jsonl")
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    times_s = [line["at_s"] for line in lines if "at_s" in line]
    assert times_s == sorted(times_s)
    assert all(0 < line["seconds"] < 3600 for line in lines if line["event"] == "commit")


def waits(pid: int) -> bool:
    """Whether a process has loaded what it needs to wait for a session."""
    return "/psutil/" in Path(f"/proc/{pid}/maps").read_text()


def test_a_session_is_known_and_waited_for_as_before(bench: Bench, set_back: Path) -> None:
    bench.pace = {"batch_s": 600.0}
    bench.start()
    waiting = bench.begin("wait", "--timeout", "5s")
    until(lambda: waits(waiting.pid))
    set_back.touch()
    _, said = waiting.communicate(timeout=300)
    assert waiting.returncode == 75
    assert "is alive" in said, "by the clock that was set back"
    seen = observe(bench.run)
    assert seen is not None
    assert seen.judgement.standing is Standing.ALIVE, "by the clock that was not"

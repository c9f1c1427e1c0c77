from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.engine.progress import ArmProgress, Cost
from ptyrun.engine.window import MARGIN, Window, estimate, nothing_begun, nothing_done, nothing_fits
from ptyrun.errors import UsageError
from ptyrun.host import clock, processes
from ptyrun.host.clock import boot_clock_s
from ptyrun.host.processes import Process
from tests.engine.toys import toy_manifest

TICK_S = 0.01  # the kernel counts start times in such steps


def arm(*costs: tuple[float, float, bool], load_s: float | None = None) -> ArmProgress:
    progress = ArmProgress(toy_manifest().arms[0])
    progress.costs.extend(Cost(*cost) for cost in costs)
    if load_s is not None:
        progress.load_s.append(load_s)
    return progress


def test_the_window_counts_from_process_start() -> None:
    code = (
        "import time; began = time.monotonic(); time.sleep(0.5)\n"
        "from ptyrun.engine.window import Window\n"
        "print(Window(100).elapsed_s, time.monotonic() - began)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    elapsed_s, since_first_line_s = map(float, ran.stdout.split())
    assert since_first_line_s <= elapsed_s + 0.02 < since_first_line_s + 5


def test_what_is_left_of_a_window_is_what_has_not_passed() -> None:
    window = Window(1000.0)
    before_s = window.elapsed_s
    left_s = window.remaining_s
    assert 1000.0 - window.elapsed_s <= left_s <= 1000.0 - before_s < 1000.0
    assert Window(before_s / 2).remaining_s < 0
    assert Window(None).remaining_s == math.inf


def test_the_process_start_lies_between_what_its_parent_saw_before_and_after() -> None:
    code = "from ptyrun.host.processes import Process; print(Process.current().started_s)"
    before_s = boot_clock_s()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        after_s = boot_clock_s()
        said, _ = child.communicate()
    assert before_s - TICK_S <= float(said) <= after_s


def test_setting_the_wall_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(1000)
    before_s = window.elapsed_s
    wall = time.time()
    monkeypatch.setattr(time, "time", lambda: wall - 86400)
    assert window.elapsed_s == pytest.approx(before_s, abs=1)
    assert Window(1000).elapsed_s == pytest.approx(before_s, abs=1)


def test_without_proc_the_start_is_asked_of_psutil(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exact = Process.current()
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    monkeypatch.setattr(clock, "PROC", str(tmp_path))
    # On Linux psutil counts from the time of boot, which the kernel gives in whole seconds.
    assert Process.current().started_s == pytest.approx(exact.started_s, abs=1.5)


def test_a_living_process_a_dead_one_and_a_reused_pid_are_told_apart() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started_s = clock.started_s(child.pid)
        assert started_s is not None
        process = replace(Process.current(), pid=child.pid, started_s=started_s)
        assert process.is_alive()
        assert not replace(process, started_s=started_s - 5).is_alive()
        assert not replace(process, host="another").is_alive()
        assert not replace(process, boot_id="before").is_alive()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not process.is_alive(), "a zombie does no work"
    assert not process.is_alive()


@pytest.mark.parametrize("budget_s", [0, -1.0])
def test_a_window_of_no_time_is_refused(budget_s: float) -> None:
    with pytest.raises(UsageError, match="window"):
        Window(budget_s)


def test_without_a_budget_everything_fits() -> None:
    assert Window(None).remaining_s == float("inf")


def test_nothing_is_known_before_the_first_chunk() -> None:
    assert estimate(arm(), 8, loaded=True, first=True) is None


def test_within_a_session_the_slowest_recent_warm_chunk_counts() -> None:
    progress = arm((9.0, 1.0, False), (0.1, 0.5, True), (0.2, 0.25, True))
    found = estimate(progress, 10, loaded=True, first=False)
    assert found is not None
    assert found.total_s() == pytest.approx(MARGIN * (2.0 + 0.5))
    assert found.total_s(unwritten=2) == pytest.approx(MARGIN * (2.0 + 3 * 0.5))


def test_a_chunk_that_waits_to_be_written_counts_where_no_other_does() -> None:
    found = estimate(arm(), 8, loaded=True, first=False, unwritten_item_s=0.5)
    assert found is not None
    assert found.total_s() == pytest.approx(MARGIN * 4.0)
    known = estimate(arm((0.1, 0.0, True)), 8, loaded=True, first=False, unwritten_item_s=0.5)
    assert known is not None
    assert known.total_s() == pytest.approx(MARGIN * 0.8)


def test_one_outlier_cannot_make_every_later_window_give_up() -> None:
    progress = arm((0.3, 0.1, False), (500.0, 0.1, False), load_s=2.0)
    found = estimate(progress, 10, loaded=False, first=True)
    assert found is not None
    assert found.total_s() == pytest.approx(MARGIN * (2.0 + 3.0 + 0.1))


def begun_before(seconds: float, budget_s: float) -> Window:
    return Window(budget_s, replace(Process.current(), started_s=boot_clock_s() - seconds))


def test_a_session_that_cannot_begin_says_what_to_change() -> None:
    needed = estimate(arm((2.0, 1.0, True), load_s=5.0), 10, loaded=False, first=True)
    assert needed is not None
    found = nothing_fits(begun_before(3, budget_s=10), needed)
    for words in ("window of 10 s", "start-up takes 8.0 s", "one chunk 23 s"):
        assert words in found.why
    assert found.enough_s == pytest.approx(1.2 * (3 + needed.total_s()), rel=0.05)


@given(
    budget_s=st.floats(1, 1e4),
    used=st.floats(0.01, 1.5),
    chunk_s=st.floats(0.01, 1e3),
    load_s=st.floats(0, 100),
    loaded=st.booleans(),
    share=st.floats(0, 1),
)
def test_what_is_advised_is_longer_than_what_was_too_short(
    budget_s: float, used: float, chunk_s: float, load_s: float, loaded: bool, share: float
) -> None:
    window = begun_before(used * budget_s, budget_s)
    needed = estimate(arm((chunk_s, 0.1, True), load_s=load_s), 1, loaded=loaded, first=True)
    assert needed is not None
    if needed.total_s() > window.remaining_s:
        assert nothing_fits(window, needed).enough_s > budget_s
    if used > 1:
        assert nothing_begun(window).enough_s > budget_s
        assert nothing_done(window, window.elapsed_s / 2, share).enough_s > budget_s

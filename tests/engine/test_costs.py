"""What steps take, and which window would hold the next one."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from ptyrun.engine.costs import Costs, progress_of
from ptyrun.engine.window import Window
from ptyrun.errors import WindowClosedError, WindowTooShortError
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.clock import boot_clock_s
from tests.engine.children import spawn

ENDLESS = Window(None)


class JustBegun(Window):
    """A window that begins now, whenever the process of the tests began."""

    def __init__(self, budget_s: float) -> None:
        super().__init__(budget_s)
        self._began_s = boot_clock_s()

    @property
    def elapsed_s(self) -> float:
        return boot_clock_s() - self._began_s


def slow(costs: Costs, step: str, seconds: float) -> None:
    with costs.measured(step, ENDLESS):
        time.sleep(seconds)


def cut(path: Path, step: str, budget_s: float) -> None:
    with Costs(path, "run").measured(step, JustBegun(budget_s)):
        os._exit(75)


def test_a_window_shorter_than_the_next_step_is_refused_with_the_one_that_would_do(
    tmp_path: Path,
) -> None:
    path = tmp_path / "costs.json"
    slow(Costs(path, "run"), "measure", 1.0)
    too_short = Costs(path, "run").measured("measure", JustBegun(0.9))
    with pytest.raises(WindowTooShortError, match=r"--window \d+s") as refused, too_short:
        pytest.fail("it was begun")
    enough_s = refused.value.enough_s
    assert f"--window {enough_s}s" in str(refused.value)
    with Costs(path, "run").measured("measure", JustBegun(enough_s)):
        time.sleep(0.01)


def cut_between_blocks(path: Path) -> None:
    with Costs(path, "run").measured("sum", JustBegun(9.0), in_blocks=True):
        os._exit(75)


def test_the_step_that_a_window_could_not_hold_is_the_next_one_unless_it_goes_on_in_blocks(
    tmp_path: Path,
) -> None:
    path = tmp_path / "costs.json"
    child = spawn(cut_between_blocks, path)
    child.join()
    assert child.exitcode == 75
    assert Costs(path, "run").open_step is None
    slow(Costs(path, "run"), "m", 1.0)
    with pytest.raises(WindowTooShortError), Costs(path, "run").measured("m", JustBegun(0.9)):
        pytest.fail("it was begun")
    assert Costs(path, "run").open_step == "m"


def test_a_later_window_is_refused_at_its_start_for_what_passes_before_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "costs.json"
    slow(Costs(path, "run"), "m", 1.0)
    monkeypatch.setattr(ATTEMPTS, "has_progressed", False)
    started = JustBegun(5.5)
    started._began_s -= 5
    with pytest.raises(WindowTooShortError), Costs(path, "run").measured("m", started):
        pytest.fail("it was begun")
    with pytest.raises(WindowTooShortError, match=r"5\.\d s of the window pass before it") as again:
        Costs(path, "run").refuse_open_step(JustBegun(5.5))
    assert again.value.enough_s > 6
    Costs(path, "run").refuse_open_step(JustBegun(again.value.enough_s))


def test_a_window_that_achieved_something_closes_and_is_not_refused(tmp_path: Path) -> None:
    costs = Costs(tmp_path / "costs.json", "run")
    slow(costs, "measure", 0.3)
    with (
        pytest.raises(WindowClosedError),
        costs.measured("measure", JustBegun(0.2), has_gone_on=True),
    ):
        pytest.fail("it was begun")


def test_a_step_of_which_parts_are_kept_is_begun_in_any_window(tmp_path: Path) -> None:
    costs = Costs(tmp_path / "costs.json", "run")
    slow(costs, "stitch", 0.3)
    with costs.measured("stitch", JustBegun(0.2), in_blocks=True):
        costs.advance()
    assert progress_of(tmp_path / "costs.json") == 3


@pytest.mark.skipif(sys.platform == "win32", reason="ends processes by os._exit")
def test_a_step_that_two_windows_cut_off_is_refused_to_a_third_of_that_length(
    tmp_path: Path,
) -> None:
    path = tmp_path / "costs.json"
    for _ in range(2):
        Costs(path, "run")  # what one cut leaves is no proof: it may have been a kill
        child = spawn(cut, path, "measure", 30.0)
        child.join(300)
        assert child.exitcode == 75
    assert Costs(path, "run").open_step == "measure"
    with (
        pytest.raises(WindowTooShortError),
        Costs(path, "run").measured("measure", JustBegun(30.0)),
    ):
        pytest.fail("it was begun")
    with Costs(path, "run").measured("measure", JustBegun(100.0)):
        pass
    assert Costs(path, "run").needs_s("measure") < 1


def test_an_error_or_a_signal_says_nothing_of_what_a_step_takes(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt), Costs(path, "run").measured("m", JustBegun(9.0)):
            raise KeyboardInterrupt
    assert Costs(path, "run").needs_s("m") == 0
    assert Costs(path, "run").open_step is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "\0",
        '{"schema": 1}',
        '{"schema": 1, "run": "run", "steps": [], "sha256": 1}',
    ],
)
def test_a_file_of_costs_that_is_none_is_not_believed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(text)
    assert Costs(path, "run").needs_s("m") == 0
    assert progress_of(path) == 0
    slow(Costs(path, "run"), "m", 0.01)
    assert Costs(path, "run").needs_s("m") > 0


def test_costs_that_are_no_file_are_none_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    os.mkfifo(path)
    assert Costs(path, "run").needs_s("m") == 0
    assert progress_of(path) == 0


def test_the_costs_of_another_run_are_not_believed(tmp_path: Path) -> None:
    slow(Costs(tmp_path / "costs.json", "run"), "m", 0.01)
    assert Costs(tmp_path / "costs.json", "other").needs_s("m") == 0


def test_costs_that_cannot_be_written_end_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    slow(Costs(tmp_path / "file" / "costs.json", "run"), "m", 0.01)

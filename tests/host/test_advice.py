"""Does a loop hear which window would do?"""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from ptyrun.errors import WindowClosedError, WindowTooShortError
from ptyrun.host import advice
from ptyrun.host.signals import ASKED


def test_what_a_window_says_would_do_is_heard_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with advice.asked_for() as asked:
        assert asked.take() is None
        monkeypatch.setenv(advice.ASKED_FOR, asked.environment[advice.ASKED_FOR])
        advice.advise(38.2)
        assert asked.take() == 39
        assert asked.take() is None


@pytest.mark.parametrize("path", ["", "/proc/nothing/here", None])
def test_a_place_that_cannot_be_written_is_no_error(
    monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    monkeypatch.delenv(advice.ASKED_FOR, raising=False)
    if path is not None:
        monkeypatch.setenv(advice.ASKED_FOR, path)
    advice.advise(38)


@pytest.mark.parametrize("text", ["", "-3", "soon", "9" * 10_000, "\x00"])
def test_what_is_no_number_of_seconds_is_no_advice(tmp_path: Path, text: str) -> None:
    path = tmp_path / "window_s"
    path.write_text(text)
    assert advice.Advice(path).take() is None


def test_the_error_of_a_short_window_survives_pickling_and_more_advice() -> None:
    error = WindowTooShortError("what", "why", "do", 38.0).with_hint("more")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.enough_s) == ("what\n  why: why\n  do:  do; more", 38.0)


def test_who_repeats_a_window_is_the_loop_that_began_it_or_the_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(advice.ASKED_FOR, raising=False)
    assert advice.what_next("work remains") == "work remains: run the same command again"
    monkeypatch.setenv(advice.ASKED_FOR, "advice")
    assert advice.what_next("work remains") == "work remains: the next window goes on"
    error = WindowClosedError(
        "the window closed", why="it is over", do="run the same command again"
    )
    assert "do:  nothing: the next window goes on" in advice.said_of_a_window(error)
    monkeypatch.setattr(ASKED, "was", True)
    assert (
        advice.what_next("work remains", ", later")
        == "work remains: run the same command again, later"
    )

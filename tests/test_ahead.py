"""Are modules imported when, and only when, their time has come?"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from ptyrun.ahead import ImportsAhead
from ptyrun.progress import Watcher


class Diary:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def begin(self, task: str, total: int, done: int = 0, unit: str = "groups") -> None:
        self.told.append(("begin", task, total, done, unit))

    def advance(self, task: str, count: int) -> None:
        self.told.append(("advance", task, count))

    def end(self, task: str) -> None:
        self.told.append(("end", task))

    def note(self, text: str) -> None:
        self.told.append(("note", text))

    def warn(self, text: str) -> None:
        self.told.append(("warn", text))


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that nobody imported."""
    (tmp_path / "comes_later.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "comes_later", raising=False)
    return "comes_later"


def all_imported() -> None:
    for thread in threading.enumerate():
        if thread.name == "ptyrun-imports":
            thread.join()


def test_everything_is_passed_on() -> None:
    diary = Diary()
    watcher: Watcher = ImportsAhead(diary, "predict B", [])
    watcher.begin("stitch", 8, 2, "patches")
    watcher.advance("stitch", 3)
    watcher.end("stitch")
    watcher.note("so it is")
    watcher.warn("beware")
    assert diary.told == [
        ("begin", "stitch", 8, 2, "patches"),
        ("advance", "stitch", 3),
        ("end", "stitch"),
        ("note", "so it is"),
        ("warn", "beware"),
    ]


def test_nothing_is_imported_before_the_task_advances(later: str) -> None:
    watcher = ImportsAhead(Diary(), "predict B", [later])
    watcher.begin("predict B", 8)
    watcher.advance("predict A", 3)
    watcher.advance("predict B", 0)
    all_imported()
    assert later not in sys.modules
    watcher.advance("predict B", 1)
    all_imported()
    assert later in sys.modules


def test_a_module_that_is_missing_disturbs_nothing(later: str) -> None:
    watcher = ImportsAhead(Diary(), "predict B", ["there_is_none", later])
    watcher.advance("predict B", 1)
    all_imported()
    assert later in sys.modules

"""How does resuming grow, and what is not tried?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import peer_work, resume
from benchmarks.peers import Way

PLAIN = Way("plain", (sys.executable, "-P", str(Path(peer_work.__file__)), "plain"))


def test_each_size_is_finished_and_called_again(tmp_path: Path) -> None:
    few, more = resume.grown(PLAIN, tmp_path / "work", [10, 30])
    assert few.name == "plain: called again, 10 finished"
    assert few.value > 0
    assert more.name == "plain: called again, 30 finished"
    assert not (tmp_path / "work").exists()


def test_what_would_take_too_much_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "MOST_GIB", 1e-3)
    few, many = resume.grown(PLAIN, tmp_path / "work", [10, 100_000])
    assert few.unit == "s"
    assert many.note.startswith("not tried: it would take")
    assert "GiB of disk, not 0" in many.note
    assert many.note.endswith("by what 10 took")


def test_a_way_that_fails_is_named(tmp_path: Path) -> None:
    wrong = Way("wrong", (sys.executable, "-c", "raise SystemExit(1)"))
    (figure,) = resume.grown(wrong, tmp_path / "work", [10, 20])
    assert "ended in an error" in figure.note

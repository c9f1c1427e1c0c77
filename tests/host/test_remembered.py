from __future__ import annotations

from pathlib import Path

import pytest

from ptyrun.host import remembered
from ptyrun.host.remembered import Remembered, identity


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_fact_is_kept_for_its_own_kind() -> None:
    Remembered("a").add("said")
    assert Remembered("a").holds("said")
    assert not Remembered("a").holds("unsaid")
    assert not Remembered("b").holds("said")


def test_without_a_place_nothing_is_kept_and_nothing_raised(home: Path) -> None:
    home.write_text("in the way")
    Remembered("a").add("said")
    assert not Remembered("a").holds("said")


def test_the_oldest_facts_are_forgotten(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST", 10)
    for number in range(30):
        Remembered("a").add(str(number))
    assert len(list((home / "ptyrun/a").iterdir())) <= 10


def test_a_file_that_is_written_again_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = identity(path.stat())
    assert identity(path.stat()) == before
    path.write_bytes(b"three")
    assert identity(path.stat()) != before

"""Do networks run without further word if, and only if, this user's own study trained them?"""

from __future__ import annotations

from pathlib import Path

import pytest

from ptyrun.study.own_models import are_own, note
from ptyrun.study.stage import Stage


def test_what_a_stage_of_ptyruns_own_trained_is_known_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    trained = Stage("train-pinn-dose_1", "train-pinn", (), ("data/a.pt2",))
    note(trained, {"data/a.pt2": "a" * 64})
    assert are_own(["a" * 64])
    assert not are_own(["a" * 64, "b" * 64])


@pytest.mark.parametrize("kind", ["ready", "split", "train-pinn"])
def test_what_others_made_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    note(Stage("train-pinn-x", kind, (), ("data/a.pt2",), command=("train",)), {"m": "a" * 64})
    assert not are_own(["a" * 64])

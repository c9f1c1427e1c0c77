"""Does a comparison begin its first predictor while it plans, and end it where that is refused?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from ptyrun.child import ahead
from ptyrun.child.predictor import Hosted
from ptyrun.child.process import MARK
from ptyrun.paths import RunPaths
from tests.hostile import Victim, install

NONE = ("--n-test-groups=8", "--pinn-chunk-size=4")


class Spy:
    """Notes each process that is begun ahead, and whether there was a plan then."""

    def __init__(self, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.with_plan: list[bool] = []
        begin = ahead.begin

        def spied(name: object, hosted: Hosted) -> None:
            self.with_plan.append(RunPaths(run).manifest.exists())
            begin(name, hosted)

        monkeypatch.setattr(ahead, "begin", spied)


def predictors() -> list[int]:
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if MARK in child.environ() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child.pid)
        except psutil.Error:
            pass
    return found


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    site = install(tmp_path / "site")
    return Victim.in_folder(site, tmp_path / "victim", inline=False)


def test_it_begins_before_the_plan_stands_and_its_model_is_loaded_once(
    victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(victim.run, monkeypatch)
    done = victim.ptyrun(*victim.words("compare", *NONE))
    assert done.returncode == 0, done.stderr
    assert spy.with_plan == [False]
    assert victim.diary == ["opened at 4"]
    again = victim.ptyrun(*victim.words("compare", *NONE))
    assert again.returncode == 0
    assert (spy.with_plan, victim.diary) == ([False], ["opened at 4"]), "nothing is left to compute"


def test_where_the_plan_is_refused_its_process_ends_and_nothing_is_computed(
    victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = victim.ptyrun(*victim.words("plan", *NONE))
    assert planned.returncode == 0, planned.stderr
    spy = Spy(victim.run, monkeypatch)
    other = victim.ptyrun(*victim.words("compare", *NONE, "--neighbor-count=9"))
    assert other.returncode == 2, other.stderr
    assert spy.with_plan == [True]
    assert not predictors()
    assert victim.status["chunks_committed"] == 0


def test_a_program_that_is_not_trusted_begins_nothing(
    victim: Victim, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = tmp_path / "program"
    model.mkdir()
    (model / "model.ts").write_bytes(b"PK")
    card: dict[str, Any] = {"schema": 1, "backend": "pytorch", "file": "model.ts"}
    (model / "model.json").write_text(json.dumps(card))
    spy = Spy(victim.run, monkeypatch)
    refused = victim.ptyrun(*victim.words("compare", *NONE, f"--pinn_dir={model}"))
    assert refused.returncode == 2
    assert "is a program" in refused.stderr
    assert spy.with_plan == []

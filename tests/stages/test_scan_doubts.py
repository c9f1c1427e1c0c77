"""Is the scan judged once, by planning, and does finalizing take that over?"""

from __future__ import annotations

from pathlib import Path

import pytest

from ptyrun.comparison import extent
from ptyrun.errors import UsageError
from ptyrun.paths import RunPaths
from ptyrun.ptycho.consistency import verdict
from ptyrun.ptycho.readers.opening import Scan
from ptyrun.stages import finalize, plan, run
from tests.studies import TRUSTED, Study

DOUBT = "its object was drawn by a child"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Scan]:
    """Each scan that is judged, from now on."""
    found: list[Scan] = []

    def doubts(scan: Scan) -> tuple[str, ...]:
        found.append(scan)
        return (DOUBT,)

    monkeypatch.setattr(verdict, "truth_doubts", doubts)
    return found


def test_it_is_judged_once_for_plan_and_results(
    asked: list[Scan], study: Study, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    plan.plan(study.config(folder))
    run.run(folder, TRUSTED)
    made = finalize.finalize(folder)
    assert (len(asked), DOUBT in made.doubts) == (1, True)
    assert finalize.finalize(folder, force=True) == made
    assert len(asked) == 2, "with force, all is made again"


def test_what_was_found_for_a_plan_that_does_not_stand_is_not_kept_for_results(
    asked: list[Scan], study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object, **__: object) -> str:
        raise UsageError("no room", why="the disk is full", do="free some")

    monkeypatch.setattr(extent, "require_room", no_room)
    with pytest.raises(UsageError):
        plan.plan(study.config(tmp_path / "run"))
    assert len(asked) == 1
    assert not RunPaths(tmp_path / "run").steps.exists()


def test_a_dry_run_keeps_nothing(asked: list[Scan], study: Study, tmp_path: Path) -> None:
    plan.check(study.config(tmp_path / "run"))
    assert len(asked) == 1
    assert not (tmp_path / "run").exists()

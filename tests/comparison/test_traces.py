"""What does a refused command take back, and what of others does it leave?"""

from __future__ import annotations

from pathlib import Path

import pytest

from ptyrun.comparison import traces
from ptyrun.engine.plan_lock import PlanLock
from ptyrun.errors import UsageError
from ptyrun.host import durable
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT


def refused() -> None:
    raise UsageError("an input is missing", why="no such file", do="correct its path")


def test_a_refused_plan_leaves_nothing(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "folder" / "run")
    with pytest.raises(UsageError), traces.none_if_refused(paths):
        for folder in (paths.planning, paths.claims):
            durable.make_folder(folder)
            (folder / "a").write_text("found")
        with PlanLock(paths, SILENT):
            refused()
    assert not [*tmp_path.iterdir()]


def test_a_refused_plan_takes_nothing_from_who_plans_there(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "run")
    with PlanLock(paths, SILENT):
        with pytest.raises(UsageError), traces.none_if_refused(paths):
            durable.make_folder(paths.planning)
            (paths.planning / "step").write_text("found by the other one")
            refused()
        assert (paths.planning / "step").exists()


def test_who_waited_for_the_lock_keeps_the_one_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds that the lock was deleted, and makes another one while the folder is taken back."""
    paths = RunPaths(tmp_path / "run")
    unlink, others = Path.unlink, []

    def unlinked(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        if path.name == "plan.lock":
            others.append(PlanLock(paths, SILENT).__enter__())

    monkeypatch.setattr(Path, "unlink", unlinked)
    with pytest.raises(UsageError), traces.none_if_refused(paths):
        durable.make_folder(paths.claims)
        refused()
    assert others
    assert (paths.claims / "plan.lock").exists()
    others[0].__exit__()

"""Does a plan leave a run alone that a session began to work on meanwhile?"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ptyrun.comparison import group_tables
from ptyrun.config import ArmConfig, ArmKind, CompareConfig, EvaluationOptions
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.session_ledger import begin
from ptyrun.errors import BusyError
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from ptyrun.stages.plan import plan
from tests.scans import write_reconstruction, write_scan


@pytest.mark.parametrize("how", [{"invalidate": ["results"]}, {"new": True}])
def test_a_session_that_begins_while_groups_are_drawn_keeps_its_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    reconstruction = write_reconstruction(tmp_path / "recon.npz")
    config = CompareConfig(
        scan=write_scan(tmp_path / "scan.npz"),
        output_dir=tmp_path / "runs" / "run",
        arms=(ArmConfig("reconstruction", reconstruction, "", ArmKind.RECONSTRUCTION),),
    )
    manifest = plan(config).manifest
    paths = RunPaths(config.output_dir)
    before = paths.manifest.read_bytes()
    draw = group_tables.planned_tables

    def beside_a_session(*given: Any) -> Any:
        begin(open_ledger(paths, manifest), None, Process.current(), "0")
        return draw(*given)

    monkeypatch.setattr(group_tables, "planned_tables", beside_a_session)
    changed = replace(config, evaluation=EvaluationOptions(frc_sigma=1.0))
    with pytest.raises(BusyError, match=f"process {os.getpid()} on"):
        plan(changed, **how)
    assert paths.manifest.read_bytes() == before
    assert [folder.name for folder in paths.root.parent.iterdir()] == ["run"], "not set aside"

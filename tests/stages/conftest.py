"""Real runs: planned, half done and finalized."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.stages import finalize, plan, run
from tests.studies import TRUSTED, Study


@pytest.fixture(scope="session")
def complete_run(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which every chunk is committed, finalized. Not to be changed."""
    folder = tmp_path_factory.mktemp("complete") / "run"
    plan.plan(study.config(folder))
    run.run(folder, TRUSTED)
    finalize.finalize(folder)
    return folder


@pytest.fixture
def half_run(study: Study, tmp_path: Path) -> Path:
    """A run of which four chunks of the PINN are committed."""
    folder = tmp_path / "run"
    plan.plan(study.config(folder))
    run.run(folder, replace(TRUSTED, max_chunks=4))
    return folder

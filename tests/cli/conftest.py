"""A comparison that is complete."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.studies import Study, ptyrun


@pytest.fixture(scope="session")
def complete(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's comparison, computed, with results and report. Not to be changed."""
    run_dir = tmp_path_factory.mktemp("complete") / "run"
    done = ptyrun(*study.words(run_dir))
    assert done.returncode == 0, done.stderr
    return run_dir


@pytest.fixture
def run_dir(complete: Path, tmp_path: Path) -> Path:
    """A copy of the complete comparison, to be changed."""
    return Path(shutil.copytree(complete, tmp_path / "run"))


@pytest.fixture(autouse=True)
def _quick_pictures(quick_pictures: None) -> None:
    """What pictures show is looked at by few tests of this folder."""

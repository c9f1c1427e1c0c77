from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.study.upstream_hubs import write_summed_hub


@pytest.fixture(scope="session")
def good_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with nothing wrong; not to be changed."""
    return write_summed_hub(tmp_path_factory.mktemp("good") / "hub")


@pytest.fixture
def hub(good_hub: Path, tmp_path: Path) -> Path:
    """A hub with nothing wrong, for one test to change."""
    return shutil.copytree(good_hub, tmp_path / "hub")

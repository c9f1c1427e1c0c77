"""A finished run to show: two reconstructions of one scan, with no network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ptyrun.config import ArmConfig, ArmKind, CompareConfig
from ptyrun.stages import finalize, plan, run
from tests.scans import write_reconstruction, write_scan


@dataclass(frozen=True)
class Example:
    """What the examples in the docstrings are about."""

    folder: Path
    scan: Path
    reconstructions: tuple[Path, ...]


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    here = tmp_path_factory.mktemp("example")
    files = {
        name: write_reconstruction(here / f"{name}.npz", seed)
        for name, seed in (("first", 3), ("second", 4))
    }
    arms = [
        ArmConfig(name, path, name.capitalize(), ArmKind.RECONSTRUCTION)
        for name, path in files.items()
    ]
    config = CompareConfig(write_scan(here / "scan.npz"), here / "run", tuple(arms))
    plan.plan(config)
    run.run(config.output_dir)
    finalize.finalize(config.output_dir)
    return Example(config.output_dir, config.scan, tuple(files.values()))

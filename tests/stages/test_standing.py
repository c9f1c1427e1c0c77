"""Results that stand are told from those that do not, whatever was touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ptyrun.comparison import standing
from ptyrun.paths import RunPaths
from ptyrun.stages import finalize


@pytest.fixture
def folder(complete_run: Path, tmp_path: Path) -> Path:
    """A copy, finalized so that its files are known."""
    copied = Path(shutil.copytree(complete_run, tmp_path / "run"))
    finalize.finalize(copied)
    return copied


def chunk_files(folder: Path) -> list[Path]:
    return sorted(RunPaths(folder).arrays.glob("*/patches/c.*"))


def test_what_finalize_made_stands_until_any_chunk_is_touched(folder: Path) -> None:
    found = standing.results(folder)
    assert found is not None and found == finalize.finalize(folder)
    assert chunk_files(folder)[0].name.startswith("c.0.")
    for path in chunk_files(folder):
        data = path.read_bytes()
        path.write_bytes(data)
        assert standing.results(folder) is None, path  # its bytes have to be read again
        finalize.finalize(folder)
        assert standing.results(folder) is not None


@pytest.mark.parametrize("name", ["results.json", "comparison_metrics.csv"])
def test_what_was_changed_does_not_stand(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    assert standing.results(folder) is None


def test_a_folder_without_a_run_has_no_results(tmp_path: Path) -> None:
    assert standing.results(tmp_path) is None

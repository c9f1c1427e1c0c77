"""Results in one file, for tools that do not know Zarr."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from tests.stages import finished_run
from tests.studies import ptyrun


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return finished_run.write(tmp_path / "run").root


@pytest.mark.parametrize(
    ("name", "words"),
    [("r.csv", []), ("r.npz", []), ("r.h5", []), ("r.hdf5", []), ("r.out", ["--format", "hdf5"])],
)
def test_every_format_is_written_and_can_be_read(
    name: str, words: list[str], run_dir: Path, tmp_path: Path
) -> None:
    output = tmp_path / "deep" / name
    done = ptyrun("export", str(run_dir), "--output", str(output), *words)
    assert (done.returncode, done.stdout.strip()) == (0, str(output)), done.stderr
    if name.endswith("csv"):
        assert {"arm", "metric", "value"} <= set(pd.read_csv(output).columns)
    elif name.endswith("npz"):
        with np.load(output, allow_pickle=False) as arrays:
            assert arrays["pinn_object"].dtype == np.complex64
    else:
        with h5py.File(output) as file:
            assert file["pinn/object"].dtype == np.complex64


def test_a_file_that_is_there_stays_unless_it_may_go(run_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.csv"
    output.write_text("mine")
    words = ("export", str(run_dir), "--output", str(output))
    refused = ptyrun(*words)
    assert (refused.returncode, output.read_text()) == (2, "mine")
    assert "--overwrite" in refused.stderr
    assert ptyrun(*words, "--overwrite").returncode == 0
    assert output.read_text() != "mine"


def test_a_name_that_does_not_say_the_format_is_refused(run_dir: Path, tmp_path: Path) -> None:
    done = ptyrun("export", str(run_dir), "--output", str(tmp_path / "results"))
    assert done.returncode == 2
    assert "--format" in done.stderr


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run")
    run.results.unlink()
    done = ptyrun("export", str(run.root), "--output", str(tmp_path / "r.csv"))
    assert done.returncode == 75
    assert "no results yet" in done.stderr
    assert not (tmp_path / "r.csv").exists()

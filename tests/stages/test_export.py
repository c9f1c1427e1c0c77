from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from ptyrun.errors import UnfinishedError, UsageError
from ptyrun.results import Results
from ptyrun.stages.export import ExportFormat, export
from tests.stages import finished_run


def test_npz_holds_every_object_without_pickles(complete_run: Path, tmp_path: Path) -> None:
    objects: Any = zarr.open_group(complete_run / "objects.zarr", mode="r")
    with np.load(export(complete_run, "npz", tmp_path / "r.npz"), allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)
        for arm in ("pinn", "baseline", "reconstruction"):
            for image in ("object", "coverage", "aligned", "aligned_truth", "aligned_covered"):
                stored = np.asarray(objects[f"{arm}/{image}"][...])
                np.testing.assert_array_equal(archive[f"{arm}_{image}"], stored)
            assert archive[f"{arm}_amplitude_frc"].ndim == 1
        results = Results.load(complete_run / "results.json")
        chosen = (
            (archive["metrics_arm"] == "pinn")
            & (archive["metrics_definition"] == "upstream")
            & (archive["metrics_metric"] == "mae")
            & (archive["metrics_component"] == "phase")
        )
        assert archive["metrics_value"][chosen].tolist() == [
            results.arms["pinn"].metrics["mae"].phase
        ]
        assert str(archive["manifest_digest"]) == results.manifest_digest


def test_hdf5_names_units_and_axes(complete_run: Path, tmp_path: Path) -> None:
    objects: Any = zarr.open_group(complete_run / "objects.zarr", mode="r")
    with h5py.File(export(complete_run, ExportFormat.HDF5, tmp_path / "r.h5")) as file:
        image = file["pinn/object"]
        np.testing.assert_array_equal(image[...], np.asarray(objects["pinn/object"][...]))
        assert image.attrs["units"] == "1"
        assert [dim.label for dim in image.dims] == ["y", "x"]
        np.testing.assert_array_equal(image.dims[0][0][...], np.arange(image.shape[0]))
        assert file["pinn/y"].attrs["units"] == "px"
        aligned = file["pinn/aligned"]
        assert [dim.label for dim in aligned.dims] == ["aligned_y", "aligned_x"]
        assert aligned.dims[0][0].shape == (aligned.shape[0],)
        assert file["pinn"].attrs["label"] == "PtychoPINN"
        assert len(file["metrics/value"]) == len(file["metrics/metric"])


def test_csv_is_a_long_table_of_every_figure(complete_run: Path, tmp_path: Path) -> None:
    path = export(complete_run, "csv", tmp_path / "deep" / "r.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    results = Results.load(complete_run / "results.json")
    for name, arm in results.arms.items():
        found = {
            (row["metric"], row["component"]): float(row["value"] or "nan")
            for row in rows
            if (row["arm"], row["definition"]) == (name, "standard")
        }
        assert found["ssim", "amplitude"] == arm.standard["ssim"].amplitude


def test_pixel_size_and_mismatch_go_along(tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run", mismatch="of another scan", pixel_size_m=5e-9)
    with h5py.File(export(run.root, "hdf5", tmp_path / "r.h5")) as file:
        assert (file.attrs["pixel_size"], file.attrs["pixel_size_units"]) == (5e-9, "m")
        assert file["reconstruction"].attrs["mismatch"] == "of another scan"


@pytest.mark.parametrize("chosen", list(ExportFormat))
def test_a_run_without_ground_truth_is_exported_too(tmp_path: Path, chosen: ExportFormat) -> None:
    run = finished_run.write(tmp_path / "run", has_truth=False)
    assert export(run.root, chosen, tmp_path / "out").stat().st_size > 0


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run")
    out = tmp_path / "mine.csv"
    out.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        export(run.root, "csv", out)
    assert out.read_text() == "mine"
    export(run.root, "csv", out, overwrite=True)
    assert out.read_text().startswith("arm,label")


@pytest.mark.parametrize(
    "name",
    [
        "results.json", "comparison_metrics.csv", "manifest.json", "SHA256SUMS", "completion.json",
        "pinn_frc_curves.csv", "reconstructions.npz", "report/metrics.csv", "ledger/x.jsonl",
        "objects.zarr/pinn/new.csv", "mine.csv", "new/mine.csv",
    ],
)  # fmt: skip
def test_nothing_is_exported_into_the_runs_folder(name: str, tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run")
    (tmp_path / "link").symlink_to(run.root)
    before = {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file()}
    for folder in (run.root, tmp_path / "link"):
        with pytest.raises(UsageError, match="lies in the run's folder"):
            export(run.root, "csv", folder / name, overwrite=True)
    after = {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file()}
    assert after == before


def test_unknown_formats_and_unfinished_runs_are_refused(tmp_path: Path) -> None:
    run = finished_run.write(tmp_path / "run")
    with pytest.raises(UsageError, match="csv, npz, hdf5"):
        export(run.root, "xlsx", tmp_path / "out")
    run.results.unlink()
    with pytest.raises(UnfinishedError, match="no results yet"):
        export(run.root, "npz", tmp_path / "out")
    assert not (tmp_path / "out").exists()

"""Arms of unequal coverage are held against each other on the pixels that all of them cover."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.scans import small_object, write_scan
from tests.studies import ptyrun


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished reconstructions: one of the whole grid, moved, and one that is 8 px smaller."""
    folder = tmp_path_factory.mktemp("unequal")
    scan = write_scan(folder / "scan.npz")
    image = small_object()
    generator = np.random.default_rng(2)
    noise = [0.02 * (n[0] + 1j * n[1]) for n in generator.standard_normal((2, 2, *image.shape))]
    whole = np.roll(image + noise[0], (2, -1), axis=(0, 1)).astype(np.complex64)
    blurred = gaussian_filter(image.real, 1) + 1j * gaussian_filter(image.imag, 1)
    part = (blurred + noise[1])[8:-8, 8:-8].astype(np.complex64)
    np.savez(folder / "whole.npz", reconstructed_object=whole, algorithm="ePIE")
    np.savez(folder / "part.npz", reconstructed_object=part, algorithm="ePIE")
    done = ptyrun(
        "compare",
        f"--test_data={scan}",
        f"--arm=name=whole,reconstruction={folder / 'whole.npz'}",
        f"--arm=name=part,reconstruction={folder / 'part.npz'}",
        f"--output_dir={folder / 'run'}",
    )
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_aligned_arrays_may_be_subtracted(run: Path) -> None:
    with np.load(run / "reconstructions_aligned.npz") as file:
        arrays = {name: file[name] for name in file.files}
    shape = arrays["ground_truth_complex"].shape
    images = [arrays[f"{arm}_complex"] for arm in ("whole", "part", "ground_truth")]
    assert {image.shape for image in images} == {shape}
    covered = arrays["covered"]
    assert covered.shape == shape
    assert np.array_equal(covered, arrays["whole_covered"] & arrays["part_covered"])
    results = json.loads((run / "results.json").read_text())
    assert arrays["region_px"].tolist() == results["common"]["region_px"]
    assert int(covered.sum()) == results["common"]["covered_px"]
    for arm in ("whole", "part"):
        amplitude = np.abs(arrays[f"{arm}_complex"])[covered]
        truth = np.abs(arrays["ground_truth_complex"])[covered]
        error = np.abs(amplitude * truth.mean() / amplitude.mean() - truth).mean()
        said = results["arms"][arm]["standard"]["mae"]["amplitude"]
        assert error == pytest.approx(said, rel=1e-4)


def test_the_table_has_figures_of_common_pixels_and_of_each_arms_own(run: Path) -> None:
    with (run / "comparison_metrics.csv").open(newline="") as file:
        rows = {(row["model"], row["metric"]): row for row in csv.DictReader(file)}
    results = json.loads((run / "results.json").read_text())
    for arm in results["arms"].values():
        assert float(rows[arm["label"], "standard_mae"]["amplitude"]) == pytest.approx(
            arm["standard"]["mae"]["amplitude"], abs=1e-6
        )
        own = rows.get((arm["label"], "own_mae"))
        is_all = all(arm["standard"][n] == m for n, m in arm["own"]["standard"].items())
        assert (own is None) == is_all
    (whole, part) = (results["arms"][name]["own"]["region_px"] for name in ("whole", "part"))
    assert whole != part, "the case shows nothing"


def test_a_pair_has_figures_and_curves_beside_a_truth(run: Path) -> None:
    (pair,) = json.loads((run / "results.json").read_text())["pairs"]
    assert pair["frc_thresholds"] == "two noisy images"
    assert 0.5 < pair["standard"]["coherence"]["value"] < 1
    with (run / "frc_curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    against = [(row["first"], row["second"]) for row in rows]
    assert len(set(against)) == 3
    assert all(abs(float(row["correlation"])) < 1 + 1e-9 for row in rows)


def test_texts_say_over_which_region_coverage_is(run: Path) -> None:
    done = ptyrun("compare", f"--config={run / 'config.toml'}", f"--output_dir={run}")
    assert done.returncode == 0, done.stderr
    results = json.loads((run / "results.json").read_text())
    _, _, height, width = results["common"]["region_px"]
    assert f"px that all arms cover in {height} x {width} px" in done.stdout
    for arm in results["arms"].values():
        _, _, rows, columns = arm["own"]["region_px"]
        assert f"of {rows} x {columns} px covered" in done.stdout

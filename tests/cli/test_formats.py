"""Scans and reconstructions as people have them, on the command line, never converted by hand."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from ptyrun.results import Metric, Results
from tests.scans import scan_arrays, small_object, write_network, write_reconstruction
from tests.studies import TRUST, Finished, ptyrun

BETTER_WHEN_LARGER = {
    *("psnr", "weighted_psnr", "ssim", "ms_ssim", "coherence", "contrast_correlation")
}
STAR = "siemens_star_contract_norm.npz"


def compared(run_dir: Path, *words: str) -> tuple[Finished, Results]:
    done = ptyrun("compare", f"--output_dir={run_dir}", "--no-vector-plots", *words)
    assert done.returncode == 0, done.stderr
    assert (run_dir / "comparison_plot.png").stat().st_size > 0
    return done, Results.load(run_dir / "results.json")


def reconstruction(name: str, path: Path) -> str:
    return f"--arm=name={name},reconstruction={path},label={name}"


def goodness(name: str, value: float | None) -> float:
    """Larger is better; a ring correlation that never crosses is the best there is."""
    if name.startswith("frc"):
        return 1.0 if value is None else value
    assert value is not None
    if name == "contrast_transfer":
        return -abs(1 - value)
    return value if name in BETTER_WHEN_LARGER else -value


def test_the_converged_star_ranks_above_the_unconverged_in_every_standard_metric(
    shared: Path, tmp_path: Path
) -> None:
    data = shared / "data"
    arms = {"good": "1mode_60ep", "poor": "1mode_5ep_unconverged"}
    words = [
        reconstruction(n, data / f"siemens_ptychi_lsqml_{stem}.npz") for n, stem in arms.items()
    ]
    _, results = compared(tmp_path / "run", f"--test_data={data / STAR}", *words)
    good, poor = (results.arms[name].standard for name in arms)
    assert good.keys() == poor.keys()
    for name in good.keys() - {"phase_defined_share"}:
        for part in ("amplitude", "phase", "value"):
            pair = getattr(good[name], part), getattr(poor[name], part)
            if pair != (None, None):
                assert goodness(name, pair[0]) > goodness(name, pair[1]), (name, part)
    assert results.arms["good"].mismatch is results.arms["poor"].mismatch is None


def test_two_halves_of_a_measured_scan_give_its_resolution_without_a_truth(
    shared: Path, tmp_path: Path
) -> None:
    with np.load(shared / "data" / STAR) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "objectGuess"}
    np.savez(tmp_path / "scan.npz", **kept)
    words = [
        reconstruction(half, shared / f"data/siemens_ptychi_lsqml_3mode_50ep_half_{half}.npz")
        for half in ("even", "odd")
    ]
    done, results = compared(tmp_path / "run", f"--test_data={tmp_path / 'scan.npz'}", *words)
    (pair,) = results.pairs
    assert {pair.first, pair.second} == {"even", "odd"}
    assert pair.standard["frc50"].value == pytest.approx(0.37, abs=0.02)
    assert pair.standard["frc_half_bit"].value == pytest.approx(0.449, abs=0.02)
    assert "even against odd" in done.stdout
    assert not results.has_ground_truth
    assert "even" in (tmp_path / "run/report/report.md").read_text()
    assert not list((tmp_path / "run").glob("*_frc_curves.csv"))


def patches(run_dir: Path) -> NDArray[np.complex64]:
    return np.asarray(zarr.open_array(run_dir / "arrays.zarr/baseline/patches", mode="r")[...])


def test_counts_and_a_legacy_file_of_the_same_frames_give_the_same_patches(
    shared: Path, tmp_path: Path
) -> None:
    model = write_network(tmp_path / "model", gridsize=1, patch_px=128)
    names = {
        "counts": "siemens_star_small64_counts",
        "legacy": "siemens_star_small64_legacy_diff3d_HWN",
    }
    said = {}
    for name, stem in names.items():
        scan = shared / f"data/{stem}.npz"
        words = [f"--test_data={scan}", f"--baseline_dir={model}", TRUST[1]]
        done, results = compared(tmp_path / name, *words)
        assert results.arms["baseline"].n_groups == 64
        said[name] = done.stderr
    assert np.allclose(patches(tmp_path / "counts"), patches(tmp_path / "legacy"), atol=1e-6)
    assert "not normalised" in said["counts"]
    assert "leave counts as they are" in said["counts"], "what follows"
    assert "intensity" in said["legacy"]


def test_a_near_field_scan_is_compared_under_a_warning(shared: Path, tmp_path: Path) -> None:
    scan = shared / "data/PETRAIII_P25_Near_Field_Ptycho.cxi"
    model = write_network(tmp_path / "model", gridsize=1, patch_px=100)
    words = [f"--test_data={scan}", f"--baseline_dir={model}", TRUST[1]]
    words += ["--n-test-groups=24", "--quiet"]
    done, results = compared(tmp_path / "run", *words)
    assert "WARNING" in done.stderr
    assert "near field" in done.stderr
    assert any("near field" in note for note in results.notes)
    assert "near field" in (tmp_path / "run/report/report.md").read_text()


def write_product(path: Path, *, frames: bool) -> Path:
    """The small scan as a ptychodus product around the middle of its object."""
    scan, pixel_m = scan_arrays(), 2e-8
    height, width = small_object().shape
    with h5py.File(path, "w") as file:
        file.attrs["name"] = "small"
        file["object"] = small_object()[None]
        file["object"].attrs["pixel_height_m"] = pixel_m
        file["object"].attrs["pixel_width_m"] = pixel_m
        file["probe"] = scan["probeGuess"][None, None]
        file["probe_position_indexes"] = np.arange(len(scan["xcoords"]))
        file["probe_position_y_m"] = (scan["ycoords"] - height / 2) * pixel_m
        file["probe_position_x_m"] = (scan["xcoords"] - width / 2) * pixel_m
        if frames:
            counts = (scan["diffraction"].astype(float) * 100) ** 2
            file["patterns"] = np.rint(counts).astype(np.uint32)
            file["indexes"] = np.arange(len(counts))
    return path


def write_cxi_object(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["entry_1/image_1/data"] = small_object()
    return path


@pytest.mark.slow
def test_a_product_is_a_scan_and_a_reconstruction(tmp_path: Path) -> None:
    scan = write_product(tmp_path / "scan.h5", frames=True)
    product = write_product(tmp_path / "product.h5", frames=False)
    words = [
        f"--test_data={scan}",
        f"--tike_recon_path={product}",
        reconstruction("cxi", write_cxi_object(tmp_path / "object.cxi")),
        reconstruction("npz", write_reconstruction(tmp_path / "recon.npz")),
        f"--pinn_dir={write_network(tmp_path / 'model', gridsize=2)}",
        TRUST[0],
    ]
    _, results = compared(tmp_path / "run", *words)
    assert results.has_reference
    assert [arm.mismatch for arm in results.arms.values()] == [None] * 4
    for name in ("reconstruction", "cxi"):
        mae: Metric = results.arms[name].standard["mae"]
        assert mae.amplitude == pytest.approx(0, abs=1e-5)

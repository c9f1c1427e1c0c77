"""Upstream's reference models and scan on the command line, beside what upstream itself stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr
from numpy.typing import NDArray

from ptyrun.ptycho.geometry.stitching import reassemble_upstream
from ptyrun.results import Results
from tests.studies import content, ptyrun

HUB = "hub/data"
CENTRE = slice(22, 42)

Stored = dict[str, NDArray[Any]]


def words(golden: Path, run_dir: Path, *more: str) -> list[str]:
    """The command line that upstream's stored run was made with."""
    hub = golden / HUB
    return [
        "compare",
        f"--pinn_dir={hub}/phase_e/dose_1000/dense/gs2",
        f"--baseline_dir={hub}/phase_e/dose_1000/baseline/gs1",
        f"--test_data={hub}/phase_c/dose_1000/patched_train.npz",
        f"--tike_recon_path={hub}/phase_f/dose_1000/dense/train/ptychi_reconstruction.npz",
        f"--output_dir={run_dir}",
        "--phase-align-method=plane",
        "--frc-sigma=0.5",
        "--register-ptychi-only",
        *more,
    ]


@pytest.fixture(scope="module")
def stored(golden: Path) -> Stored:
    with np.load(golden / "upstream_train96/arrays.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def expected(golden: Path) -> dict[str, Any]:
    found = json.loads((golden / "upstream_train96/golden.json").read_text())
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def repeated(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Upstream's run again: its groups, its canvas, its options."""
    run_dir = tmp_path_factory.mktemp("golden") / "run"
    groups = golden / "upstream_train96/arrays.npz"
    more = ["--n-test-groups=96", "--pinn-predict-batch-size=8", "--alignment=upstream"]
    done = ptyrun(*words(golden, run_dir, *more, f"--groups-from={groups}"))
    assert done.returncode == 0, done.stderr
    return run_dir


def patches(run_dir: Path, arm: str) -> NDArray[np.complex64]:
    return np.asarray(zarr.open_array(run_dir / f"arrays.zarr/{arm}/patches", mode="r")[...])


def aligned(run_dir: Path, name: str) -> NDArray[Any]:
    with np.load(run_dir / "reconstructions_aligned.npz", allow_pickle=False) as arrays:
        return np.asarray(arrays[name])


def canvas(run_dir: Path, name: str) -> NDArray[Any]:
    with np.load(run_dir / "reconstructions.npz", allow_pickle=False) as arrays:
        return np.asarray(arrays[name])


def test_the_pinns_patches_are_upstreams(repeated: Path, stored: Stored) -> None:
    difference = np.abs(patches(repeated, "pinn") - stored["pinn_patches"][..., 0])
    assert difference[:, CENTRE, CENTRE].max() < 4e-7
    assert difference.max() < 1e-5


def baseline_by_group(repeated: Path, stored: Stored) -> NDArray[np.complex64]:
    """Upstream's patch of each group's channel, as our one patch of that frame has it."""
    frames = np.asarray(zarr.open_array(repeated / "arrays.zarr/index/baseline/frames")[:, 0])
    wanted = stored["sample_indices"][stored["nn_indices"]].reshape(-1)
    order = np.argsort(frames)
    return patches(repeated, "baseline")[order[np.searchsorted(frames, wanted, sorter=order)]]


def upstream_baseline(stored: Stored) -> NDArray[np.complex64]:
    amplitude, phase = (stored[f"baseline_out_{part}"][..., 0] for part in ("amp", "phase"))
    return np.asarray(amplitude * np.exp(1j * phase), np.complex64)


@pytest.mark.slow
def test_the_baseline_gives_each_frame_the_patch_that_upstream_gives_it_every_time(
    repeated: Path, stored: Stored
) -> None:
    difference = np.abs(baseline_by_group(repeated, stored) - upstream_baseline(stored))
    assert difference.max() < 1.3e-6


def test_canvas_and_crops_are_upstreams(repeated: Path, stored: Stored) -> None:
    ours = canvas(repeated, "ptychopinn_complex")
    assert np.abs(ours - stored["pinn_recon"][..., 0]).max() < 1e-4
    cropped = aligned(repeated, "ptychopinn_complex")
    assert np.abs(cropped - stored["pinn_cropped"]).max() < 1e-4
    assert np.array_equal(aligned(repeated, "ground_truth_complex"), stored["pinn_gt_cropped"])
    registered = aligned(repeated, "reconstruction_complex")
    assert np.abs(registered - stored["tike_aligned"]).max() < 1e-6


def test_the_baseline_differs_from_upstreams_only_in_where_its_patches_lie(
    repeated: Path, stored: Stored
) -> None:
    places = np.stack([stored["ycoords"], stored["xcoords"]], axis=1)[stored["nn_indices"]]
    right, _ = reassemble_upstream(upstream_baseline(stored), places.reshape(-1, 2), 20)
    assert np.abs(canvas(repeated, "baseline_complex") - right).max() < 1e-5


# PtyChi's image is given, so that only the metrics' arithmetic is at stake. PtychoPINN's patches
# were predicted on another CPU (3e-7), and pixels that a patch's edge hardly touches are a small
# sum over a small weight (1e-4): what rests on such pixels or on single rings shows it.
@pytest.mark.parametrize(("arm", "relative"), [("pinn", 5e-5), ("reconstruction", 2e-7)])
def test_every_metric_is_upstreams(
    arm: str, relative: float, repeated: Path, expected: dict[str, Any]
) -> None:
    found = Results.load(repeated / "results.json").arms[arm]
    for name, pair in expected["metrics"][found.label].items():
        metric = found.metrics[name]
        assert (metric.amplitude, metric.phase) == pytest.approx(pair, rel=relative), name


def test_the_registration_is_upstreams(repeated: Path, expected: dict[str, Any]) -> None:
    results = Results.load(repeated / "results.json")
    assert "registration_offset_dy" not in results.arms["pinn"].metrics
    found = results.arms["reconstruction"].metrics
    offset = [found[f"registration_offset_{axis}"].value for axis in ("dy", "dx")]
    assert offset == pytest.approx(expected["registration_offsets"][0], abs=1e-6)


# The table has six decimals.
@pytest.mark.parametrize(
    ("arm", "label", "tolerance"),
    [("pinn", "PtychoPINN", 3e-5), ("reconstruction", "PtyChi", 1.5e-6)],
)
def test_the_ring_correlations_are_upstreams(
    arm: str, label: str, tolerance: float, repeated: Path, stored: Stored
) -> None:
    table = pd.read_csv(repeated / f"{arm}_frc_curves.csv")
    assert (table["model"] == label).all()
    for column, name in (("amplitude_frc", "frc_amp"), ("phase_frc", "frc_phi")):
        assert table[column].to_numpy() == pytest.approx(stored[f"{name}_{label}"], abs=tolerance)


def test_the_table_can_be_laid_beside_upstreams(golden: Path, repeated: Path) -> None:
    ours = pd.read_csv(repeated / "comparison_metrics.csv")
    theirs = pd.read_csv(golden / "upstream_train96/comparison_metrics.csv")
    assert list(ours.columns) == list(theirs.columns)
    rows = {(row.model, row.metric) for row in ours.itertuples()}
    assert {(row.model, row.metric) for row in theirs.itertuples()} <= rows


def test_no_chunk_size_leaves_a_trace_with_these_models(golden: Path, tmp_path: Path) -> None:
    found = []
    for chunk in ("all", "1", "7"):
        run_dir = tmp_path / chunk
        sizes = [f"--{arm}-chunk-size={chunk}" for arm in ("pinn", "baseline")]
        batches = [f"--{arm}-predict-batch-size=1" for arm in ("pinn", "baseline")]
        few = ["--n-test-groups=48", "--baseline-debug-limit=12"]
        done = ptyrun(*words(golden, run_dir, *few, *sizes, *batches))
        assert done.returncode == 0, done.stderr
        document = content(run_dir)
        document["results.json"].pop("manifest_digest")
        found.append(document)
    assert all(document == found[0] for document in found[1:])

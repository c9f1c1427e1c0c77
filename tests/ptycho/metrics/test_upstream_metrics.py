from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from ptyrun.config import EvaluationOptions, PhaseAlign
from ptyrun.ptycho.geometry.placement import scanned_region
from ptyrun.ptycho.metrics.evaluation import evaluate_upstream
from ptyrun.ptycho.metrics.registration import cropped
from ptyrun.ptycho.metrics.upstream_metrics import first_ring_below, ms_ssim, ssim, upstream_metrics
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction

IMAGES = ("registered", "unregistered", "square")
HERE = Path(__file__).parent  # upstream's values of a small image are kept with the tests

# Upstream's spectra are in single precision, and interpolated crossings show it; so are the
# angles, which NumPy rounds otherwise on a CPU without AVX-512.
RELATIVE = {"frc50": 2e-7, "frc1over7": 2e-7, "mse": 2e-7}
# In the corner a ring is a few pixels, and a nearly constant object's are rounding.
CURVE = {"Baseline": 1e-5}


def images(unit: NpzFile, name: str) -> tuple[np.ndarray, np.ndarray]:
    stem = "al" if name == "unregistered" else "sh"
    pair = unit.array(f"{stem}_recon"), unit.array(f"{stem}_gt")
    window = np.s_[:120, :120] if name == "square" else np.s_[:, :]
    return cropped(pair[0][window], 2), cropped(pair[1][window], 2)


def assert_metrics(found, expected) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        relative = RELATIVE.get(name, 1e-7)
        assert found[name] == pytest.approx(values, rel=relative, abs=0), name


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("method", list(PhaseAlign))
@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_metrics_and_curves_equal_upstreams(image, method, sigma, unit, golden: Path) -> None:
    key = f"{image}_{method.value}_{sigma}"
    cases = json.loads((golden / "unit/unit.json").read_text())["eval"]
    (expected,) = [case["metrics"] for case in cases if case["key"] == key]
    recon, truth = images(unit, image)
    found = upstream_metrics(recon, truth, phase_align=method, frc_sigma=sigma)
    assert_metrics(found.values, expected)
    assert found.amplitude_frc == pytest.approx(unit.array(f"frc_amp_{key}"), abs=2e-6)
    assert found.phase_frc == pytest.approx(unit.array(f"frc_phi_{key}"), abs=2e-6)


@pytest.mark.parametrize("method", list(PhaseAlign))
@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_metrics_and_curves_of_a_small_image_equal_upstreams(method, sigma) -> None:
    key = f"{method.value}_{sigma}"
    expected = json.loads((HERE / "upstream_small.json").read_text())["metrics"][key]
    kept = NpzFile(HERE / "upstream_small.npz")
    recon, truth = (cropped(kept.array(name), 2) for name in ("recon", "truth"))
    found = upstream_metrics(recon, truth, phase_align=method, frc_sigma=sigma)
    assert_metrics(found.values, expected)
    assert found.amplitude_frc == pytest.approx(kept.array(f"frc_amp_{key}"), abs=2e-6)
    assert found.phase_frc == pytest.approx(kept.array(f"frc_phi_{key}"), abs=2e-6)


@pytest.mark.parametrize("label", ["PtychoPINN", "Baseline", "PtyChi"])
def test_a_whole_run_of_upstream_is_measured_as_upstream_did(
    label: str, upstream_run: NpzFile, golden: Path, golden_scan_path: Path
) -> None:
    truth = open_scan(golden_scan_path).object_guess
    region = scanned_region(upstream_run.array("scan_coords_yx"), 20, truth.shape)
    assert region.as_tuple() == (44, 40, 145, 171)
    third = golden / "hub/data/phase_f/dose_1000/dense/train/ptychi_reconstruction.npz"
    canvas = {
        "PtychoPINN": lambda: upstream_run.array("pinn_recon")[..., 0],
        "Baseline": lambda: upstream_run.array("baseline_recon")[..., 0],
        "PtyChi": lambda: open_reconstruction(third).object,
    }[label]()
    found = evaluate_upstream(
        canvas, truth, region, EvaluationOptions(frc_sigma=0.5), registered=label == "PtyChi"
    )
    expected = json.loads((golden / "upstream_train96/golden.json").read_text())
    pairs = {name: (metric.amplitude, metric.phase) for name, metric in found.metrics.items()}
    assert_metrics(pairs, expected["metrics"][label])
    near = CURVE.get(label, 1e-6)
    assert found.amplitude_frc == pytest.approx(upstream_run.array(f"frc_amp_{label}"), abs=near)
    assert found.phase_frc == pytest.approx(upstream_run.array(f"frc_phi_{label}"), abs=near)
    if label == "PtyChi":
        offset = [found.shift.dy_px, found.shift.dx_px]
        assert offset == pytest.approx(expected["registration_offsets"][0], abs=1e-6)


def test_equal_images_have_no_error(unit: NpzFile) -> None:
    _, truth = images(unit, "registered")
    found = upstream_metrics(truth, truth).values
    assert found["mae"] == (0, 0)
    assert found["psnr"] == (math.inf, math.inf)
    assert found["ssim"] == pytest.approx((1, 1), abs=1e-6)
    assert found["ms_ssim"] == pytest.approx((1, 1), abs=1e-6)


def test_only_covered_pixels_are_averaged(unit: NpzFile) -> None:
    recon, truth = images(unit, "registered")
    covered = np.ones(truth.shape, bool)
    covered[30:60, 40:90] = False
    spoilt = np.where(covered, recon, 1e6)
    whole, masked = upstream_metrics(recon, truth), upstream_metrics(spoilt, truth, covered=covered)
    for name in ("mae", "mse", "ssim", "ms_ssim"):
        assert masked.values[name] == pytest.approx(whole.values[name], rel=0.2), name


def test_images_too_small_for_a_window_have_no_ssim() -> None:
    small = np.random.default_rng(0).normal(size=(6, 9))
    assert math.isnan(ssim(small, small + 0.1, 1.0))
    assert math.isnan(ms_ssim(small, small + 0.1, 0.0))


def spots(shape: tuple[int, int], share: float) -> np.ndarray:
    """Squares of 20 px at random places, as crops of few groups leave them."""
    generator, covered = np.random.default_rng(4), np.zeros(shape, bool)
    while covered.mean() < share:
        top, left = (generator.integers(0, side - 20) for side in shape)
        covered[top : top + 20, left : left + 20] = True
    return covered


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_holes_raise_no_metric_of_what_has_nothing_in_common_with_the_truth(
    share: float, unit: NpzFile
) -> None:
    _, truth = images(unit, "registered")
    noise = np.random.default_rng(5).normal(size=(2, *truth.shape)) * 0.3
    for recon in (np.full(truth.shape, 0.9 + 0.1j), (1 + noise[0]) * np.exp(1j * noise[1])):
        whole = upstream_metrics(recon, truth)
        found = upstream_metrics(recon, truth, covered=spots(truth.shape, share))
        for part in (0, 1):
            assert found.values["ssim"][part] < whole.values["ssim"][part] + 0.1
            for name in ("frc50", "frc1over7"):
                assert found.values[name][part] < len(whole.phase_frc) / 6, name


def test_holes_cost_what_is_right_nothing(unit: NpzFile) -> None:
    _, truth = images(unit, "registered")
    covered = spots(truth.shape, 0.4)
    found = upstream_metrics(np.where(covered, truth, 7), truth, covered=covered)
    assert found.values["ssim"] == pytest.approx((1, 1), abs=1e-3)
    assert found.values["ms_ssim"] == pytest.approx((1, 1), abs=1e-3)
    assert found.values["frc50"] == (len(found.amplitude_frc), len(found.phase_frc))


def test_a_few_pixels_say_nothing_of_structure(unit: NpzFile) -> None:
    recon, truth = images(unit, "registered")
    covered = np.zeros(truth.shape, bool)
    covered[60:62, 70:72] = True
    found = upstream_metrics(recon, truth, covered=covered)
    for name in ("ssim", "ms_ssim", "frc50", "frc1over7"):
        assert all(map(math.isnan, found.values[name])), name
    assert np.isnan(found.amplitude_frc).all()
    assert all(map(math.isfinite, found.values["mae"]))


@pytest.mark.parametrize(
    ("curve", "ring"),
    [([1.0, 0.8, 0.2, 0.9], 1.5), ([0.4, 0.9], 0.0), ([1.0, 0.9, 0.8], 3.0)],
)
def test_the_first_ring_below_a_threshold(curve: list[float], ring: float) -> None:
    assert first_ring_below(np.array(curve), 0.5) == pytest.approx(ring)

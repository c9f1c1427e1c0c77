from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.config import EvaluationOptions, PhaseAlign
from ptyrun.errors import GeometryError
from ptyrun.ptycho.consistency.place_search import place
from ptyrun.ptycho.geometry.grouping import draw_groups, read_groups
from ptyrun.ptycho.geometry.placement import Region, centre_crop, origins_px, placed, scanned_region
from ptyrun.ptycho.geometry.stitching import Stitcher, reassemble_upstream
from ptyrun.ptycho.metrics import frc
from ptyrun.ptycho.metrics.evaluation import evaluate, evaluate_upstream, mutual
from ptyrun.ptycho.metrics.registration import Shift, apply_shift
from ptyrun.ptycho.metrics.standard_metrics import correlations
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.opening import Scan, open_scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from tests.ptycho.metrics.objects import noise, weak

OPTIONS = EvaluationOptions()


@pytest.fixture(scope="module")
def scan(golden_scan_path: Path) -> Scan:
    return open_scan(golden_scan_path)


@pytest.fixture(scope="module")
def third_arm(golden: Path):
    return open_reconstruction(
        golden / "hub/data/phase_f/dose_1000/dense/train/ptychi_reconstruction.npz"
    )


@pytest.fixture(scope="module")
def region(scan: Scan) -> Region:
    return scanned_region(scan.positions_px, 20, scan.object_guess.shape)


NUISANCES = {
    "nothing": lambda image, _: image,
    "global phase": lambda image, _: image * np.exp(0.5j),
    "one ramp cycle": lambda image, ramp: image * ramp,
    "part of a pixel": lambda image, _: apply_shift(image, Shift(0.3, -0.4)),
    "whole pixels": lambda image, _: apply_shift(image, Shift(3, -2)),
    "amplitude": lambda image, _: 1.1 * image,
    "all": lambda image, ramp: 1.1j * apply_shift(image, Shift(3, -2)) * ramp,
}


@pytest.mark.parametrize("nuisance", NUISANCES)
def test_no_nuisance_enters_a_metric(nuisance: str, scan: Scan, region: Region) -> None:
    truth = scan.object_guess
    ramp = np.exp(2j * np.pi * np.arange(truth.shape[0]) / region.height)[:, None]
    found = evaluate(
        NUISANCES[nuisance](truth, ramp), truth, np.ones(truth.shape), OPTIONS, region=region
    )
    for metrics in (found.metrics, found.standard):
        assert metrics["mae"].phase < 1e-5
        assert metrics["mae"].amplitude < 1e-5
    assert found.metrics["ssim"].phase == pytest.approx(1, abs=1e-3)
    assert found.coherence == pytest.approx(1, abs=1e-4)


def test_a_reconstruction_on_its_own_canvas_finds_its_place(scan, third_arm, region) -> None:
    found_at = place(scan, scan.object_guess.shape, third_arm)
    image, coverage = found_at.image, found_at.coverage
    found = evaluate(image, scan.object_guess, coverage, OPTIONS, region=region)
    assert (found.shift.dy_px, found.shift.dx_px) == pytest.approx((0, 0), abs=0.05)
    assert found.metrics["ms_ssim"].phase > 0.9
    assert found.recon.shape == found.truth.shape == found.covered.shape
    inside = found.region.slices
    assert np.array_equal(found.truth, scan.object_guess[inside])


def test_an_unregistered_arm_is_not_moved(scan: Scan, region: Region) -> None:
    truth = scan.object_guess
    moved = apply_shift(truth, Shift(3, -2))
    coverage = np.ones(truth.shape)
    found = evaluate(moved, truth, coverage, OPTIONS, region=region, registered=False)
    assert found.shift is None
    assert found.metrics["mae"].phase > 0.05


def test_holes_are_left_out_of_every_average(scan: Scan, region: Region) -> None:
    truth = scan.object_guess
    coverage = np.ones(truth.shape)
    coverage[120:150, 100:140] = 0
    spoilt = np.where(coverage > 0, truth, 50)
    found = evaluate(spoilt, truth, coverage, OPTIONS, region=region)
    for metrics in (found.metrics, found.standard):
        assert metrics["mae"].amplitude < 1e-5
        assert metrics["mae"].phase < 1e-5
        assert metrics["ssim"].amplitude > 0.99
    assert any("are left out" in note for note in found.notes)
    with pytest.raises(GeometryError):
        evaluate(spoilt, truth, 0 * coverage, OPTIONS, region=region)


def test_the_mean_method_is_honoured(scan: Scan, region: Region) -> None:
    truth = scan.object_guess
    ramp = np.exp(0.5j * np.pi * np.arange(truth.shape[0]) / truth.shape[0])[:, None]
    options = EvaluationOptions(phase_align=PhaseAlign.MEAN)
    found = evaluate(truth * ramp, truth, np.ones(truth.shape), options, region=region)
    assert found.metrics["mae"].phase > 0.05


Complex2D = np.ndarray[Any, np.dtype[np.complexfloating[Any, Any]]]
Positions = np.ndarray[Any, np.dtype[np.float64]]


def perfect_patches(truth: Complex2D, positions_px: Positions) -> Complex2D:
    """Cut patches (k, 24, 24) of the truth at the pixel nearest to each position (k, 2)."""
    corners = np.rint(positions_px).astype(int) - 12
    return np.stack([truth[y : y + 24, x : x + 24] for y, x in corners])


def amplitude_error(truth: Complex2D, patches: Complex2D, places_px: Positions) -> float:
    """Mean over the pixels that patches cover, laid at these places."""
    stitcher = Stitcher(truth.shape, 20)
    stitcher.add(patches, places_px)
    stitched, coverage = stitcher.result()
    return float(np.abs(np.abs(stitched) - np.abs(truth))[coverage > 0].mean())


def errors(truth: Complex2D, groups_px: Positions) -> tuple[float, float]:
    """Of perfect patches of groups (G, C, 2): at their positions, and where upstream has them."""
    members = groups_px.reshape(-1, 2)
    mirrored = (2 * groups_px.mean(axis=1, keepdims=True) - groups_px).reshape(-1, 2)
    patches = perfect_patches(truth, members)
    return amplitude_error(truth, patches, members), amplitude_error(truth, patches, mirrored)


def test_patches_belong_at_their_true_positions_not_at_mirrored_ones(
    scan: Scan, upstream_run: NpzFile
) -> None:
    """Perfect patches leave ten times the error where upstream's mirrored offsets put them."""
    groups = scan.positions_px[read_groups(upstream_run.path, scan.n_frames)]
    true, mirrored = errors(scan.object_guess, groups)
    assert true == pytest.approx(0.016, abs=0.001)
    assert mirrored == pytest.approx(0.171, abs=0.001)


@pytest.fixture(scope="module")
def demo_object() -> Iterator[tuple[Complex2D, Positions]]:
    """The demo's object, and the positions (n, 2) of its scan."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[3] / "examples/demo")
        base = importlib.import_module("make_base")
        yield base.draw_object(base.object_shape()), base.jittered_grid()
        for name in ("make_base", "chart"):
            del sys.modules[name]


def test_an_object_of_soft_edges_shows_the_mirror_as_clearly(demo_object) -> None:
    truth, positions = demo_object
    true, mirrored = errors(truth, positions[draw_groups(positions, 2)])
    assert true == pytest.approx(0.007, abs=0.0005)
    assert mirrored == pytest.approx(0.116, abs=0.001)


def test_what_is_left_at_true_positions_is_the_half_pixel_that_patches_were_cut_at(
    demo_object,
) -> None:
    truth, positions = demo_object
    whole = np.rint(positions)
    true, mirrored = errors(truth, whole[draw_groups(whole, 2)])
    assert true < 1e-6
    assert mirrored > 0.1


def test_the_exact_grid_needs_no_registration_where_upstreams_canvas_does(
    scan: Scan, upstream_run: NpzFile
) -> None:
    """Perfect patches: upstream's blind crops leave a shift of pixels, the exact grid none."""
    frames = read_groups(upstream_run.path, scan.n_frames)
    truth, positions = scan.object_guess, scan.positions_px[frames].reshape(-1, 2)
    patches = perfect_patches(truth, positions)
    region = scanned_region(positions, 20, truth.shape)
    stitcher = Stitcher(truth.shape, 20)
    stitcher.add(patches, positions)
    stitched, coverage = stitcher.result()
    exact = evaluate(stitched, truth, coverage, OPTIONS, region=region)
    canvas, _ = reassemble_upstream(patches, positions, 20)
    blind = evaluate_upstream(canvas, truth, region, OPTIONS)
    assert max(abs(exact.shift.dy_px), abs(exact.shift.dx_px)) < 0.2
    assert max(abs(blind.shift.dy_px), abs(blind.shift.dx_px)) > 2


def test_upstreams_pair_keeps_its_ramp_and_what_is_shown_has_none(
    scan: Scan, region: Region
) -> None:
    truth = scan.object_guess
    ramp = np.exp(0.5j + 1.5j * np.pi * np.arange(truth.shape[0]) / region.height)[:, None]
    centred = (truth * ramp)[region.slices]
    found = evaluate_upstream(centred, truth, region, OPTIONS, registered=False)
    assert np.abs(np.angle(found.recon * found.truth.conj())).mean() < 1e-4
    assert np.array_equal(found.truth, truth[found.region.slices])
    assert found.upstream_pair is not None
    kept, target = found.upstream_pair
    assert np.array_equal(kept, centred.astype(np.complex64))
    assert np.array_equal(target, truth[region.slices])


def test_two_reconstructions_are_compared_without_a_truth(scan: Scan) -> None:
    truth = scan.object_guess[40:240, 20:220]
    covered = np.ones(truth.shape, bool)
    generator = np.random.default_rng(0)
    noise = 0.1 * generator.normal(size=(2, *truth.shape))
    first, second = truth + noise[0], (truth + noise[1]) * 1j
    assert mutual(first, second, covered).standard.metrics["coherence"].value > 0.9
    other = generator.normal(size=truth.shape) + 0j
    assert mutual(first, other, covered).standard.metrics["coherence"].value < 0.2


@pytest.mark.parametrize("rad_per_px", [0.01, 0.1])
def test_a_ramp_that_two_reconstructions_have_is_no_contrast_in_common(rad_per_px: float) -> None:
    generator = np.random.default_rng(1)
    amplitude, phase = weak(128, generator)
    truth = amplitude * np.exp(1j * phase)
    pair = [truth + noise(128, generator, 0.1) for _ in range(2)]
    ramp = np.exp(1j * rad_per_px * np.arange(128))
    covered = np.ones(truth.shape, bool)
    covered[20:40, 30:60] = False
    plain = mutual(*pair, covered).standard.metrics
    ramped = mutual(*(each * ramp for each in pair), covered).standard.metrics
    for name in ("coherence", "contrast_correlation", "complex_error"):
        assert ramped[name].value == pytest.approx(plain[name].value, abs=1e-3)


@pytest.mark.parametrize("period_px", [6, 16])
def test_the_period_of_a_thick_grating_is_no_ramp(period_px: int) -> None:
    generator = np.random.default_rng(2)
    phase = 2.4 * np.cos(2 * np.pi * np.arange(160) / period_px)  # hardly a constant part
    truth = np.exp(1j * phase)[None] * np.ones((160, 1))
    pair = [truth + noise(160, generator, 0.5) for _ in range(2)]
    found = mutual(*pair, np.ones(truth.shape, bool), registered=False).standard.metrics
    as_they_are = correlations(pair[0], pair[1], np.ones(truth.shape, bool)).field
    expected = frc.crossing(as_they_are, frc.fixed(1 / 7)).nyquist_fraction
    assert found["frc1over7"].value == pytest.approx(expected, abs=0.02)


def test_of_two_reconstructions_it_is_said_where_a_shift_is_ambiguous() -> None:
    x = np.arange(96)[None] + np.zeros((96, 1))
    grating = np.exp(1j * np.cos(2 * np.pi * x / 12))
    found = mutual(np.roll(grating, 6, axis=1), grating, np.ones(grating.shape, bool)).standard
    assert any("ambiguous" in note for note in found.notes)


def test_the_region_is_the_bounding_box_and_half_a_crop() -> None:
    positions = np.array([[20.6, 30.2], [40.9, 70.0]])
    assert scanned_region(positions, 20, (100, 100)).as_tuple() == (10, 20, 40, 60)
    assert scanned_region(positions, 20, (45, 75)).as_tuple() == (10, 20, 35, 55)
    with pytest.raises(GeometryError, match="outside the object"):
        scanned_region(positions + 200, 20, (100, 100))


def test_a_small_canvas_lies_around_the_middle_of_the_positions() -> None:
    positions = np.array([[10.0, 10.0], [30.0, 20.0]])
    assert origins_px((6, 4), (40, 32), positions, 8) == [(17, 13)]
    image = np.arange(6 * 4).reshape(6, 4) + 1j
    grid, coverage = placed(image, (40, 32), (17, 13))
    assert np.array_equal(grid[17:23, 13:17], image)
    assert coverage.sum() == image.size


def test_an_image_of_the_grids_size_lies_on_it_and_a_large_one_in_one_of_two_places() -> None:
    positions = np.array([[10.0, 10.0], [30.0, 20.0]])
    assert origins_px((40, 32), (40, 32), positions, 8) == [(0, 0)]
    assert origins_px((80, 80), (40, 32), positions, 8) == [(-20, -25), (0, 0)]
    for origin in [(-20, -25), (0, 0)]:
        grid, coverage = placed(np.ones((80, 80), "c8"), (40, 32), origin)
        assert grid.all()
        assert coverage.all()


def test_a_centre_crop_leaves_the_spare_pixel_below_and_right() -> None:
    assert centre_crop(np.arange(25).reshape(5, 5), 2, 3).tolist() == [[6, 7, 8], [11, 12, 13]]
    assert Region(2, 3, 5, 5).centre(2, 3) == Region(3, 4, 2, 3)


@pytest.mark.parametrize("value", [0, 1, 2j])
def test_an_arm_without_any_structure_is_measured_too(value, scan: Scan, region: Region) -> None:
    truth = scan.object_guess
    flat = np.full(truth.shape, value, np.complex64)
    found = evaluate(flat, truth, np.ones(truth.shape), OPTIONS, region=region)
    assert found.coherence < 0.2
    assert found.standard["frc50"].value < 0.1
    assert np.isfinite(found.metrics["mae"].amplitude)


@pytest.mark.parametrize("side", [9, 12, 16, 21])
def test_small_regions_are_measured_as_far_as_they_go(side: int, scan: Scan) -> None:
    region = Region(60, 60, side, side + 3)
    truth = scan.object_guess
    found = evaluate(truth * 2j, truth, np.ones(truth.shape), OPTIONS, region=region)
    if side == 9:
        assert not found.standard and any("only 4 px" in note for note in found.notes)
        return
    assert found.standard["mae"].phase < 1e-6
    assert found.metrics["mae"].phase < 1e-5

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.stitching import Stitcher, central, object_shape, reassemble_upstream
from ptyrun.ptycho.readers.npz import NpzFile

SMALL = np.random.default_rng(1)
PATCHES = (SMALL.normal(size=(300, 12, 12)) + 1j * SMALL.normal(size=(300, 12, 12))).astype("c8")
POSITIONS = SMALL.uniform(-3, 43, (300, 2))
COUNTS = SMALL.integers(1, 9, 300)


def stitched(cuts: list[int]) -> tuple[bytes, bytes]:
    stitcher = Stitcher((40, 36), 8)
    for part in np.split(np.arange(300), sorted(cuts)):
        stitcher.add(PATCHES[part], POSITIONS[part], COUNTS[part])
    # The sums: rounded to complex64, two orders of summing look alike.
    total, coverage = stitcher.sums()
    return total.tobytes(), coverage.tobytes()


WHOLE = stitched([])


@settings(max_examples=30)
@given(st.lists(st.integers(0, 300), max_size=12))
def test_no_bit_depends_on_how_patches_are_handed_over(cuts: list[int]) -> None:
    assert stitched(cuts) == WHOLE


def test_one_patch_at_a_time_gives_the_same_bits() -> None:
    assert stitched(list(range(300))) == WHOLE


def truth(height: int = 60, width: int = 70) -> NDArray[np.complex64]:
    y, x = np.mgrid[:height, :width]
    return np.asarray((1 + 0.1 * y) * np.exp(0.05j * x), np.complex64)


def test_perfect_patches_at_whole_pixels_give_back_the_object() -> None:
    image = truth()
    positions = np.stack(np.meshgrid([16, 22, 30, 40], [16, 25, 33, 50], indexing="ij"), -1)
    positions = positions.reshape(-1, 2).astype(float)
    patches = np.stack(
        [image[int(y) - 8 : int(y) + 8, int(x) - 8 : int(x) + 8] for y, x in positions]
    )
    stitcher = Stitcher(image.shape, 12)
    stitcher.add(patches, positions)
    found, coverage = stitcher.result()
    assert np.array_equal(found[coverage > 0], image[coverage > 0])
    assert np.all(found[coverage == 0] == 0)
    assert (coverage[10, 10], coverage[16, 16]) == (1, 2)


def test_a_patch_between_pixels_is_interpolated() -> None:
    stitcher = Stitcher((8, 8), 2)
    stitcher.add(np.ones((1, 2, 2), "c8"), np.array([[4.25, 4.5]]))
    _, coverage = stitcher.result()
    assert np.allclose(coverage[3:6, 3:6], np.outer([0.75, 1, 0.25], [0.5, 1, 0.5]))
    assert coverage.sum() == 4


def test_a_patch_is_shifted_by_its_own_fraction_along_each_axis() -> None:
    stitcher = Stitcher((8, 8), 2)
    patch = np.array([[1, 2j], [4, 8j]], "c8")
    stitcher.add(patch[None], np.array([[4.25, 4.5]]))
    total, _ = stitcher.sums()
    down = np.array([[0.75, 0], [0.25, 0.75], [0, 0.25]])
    right = np.array([[0.5, 0.5, 0], [0, 0.5, 0.5]])
    assert np.array_equal(total[3:6, 3:6], down @ patch @ right)
    assert np.count_nonzero(total) == 9


def test_a_patch_half_outside_counts_where_it_is_inside() -> None:
    stitcher = Stitcher((8, 8), 4)
    stitcher.add(np.ones((2, 4, 4), "c8"), np.array([[0.0, 4.0], [8.0, 8.0]]))
    expected = np.zeros((8, 8))
    expected[:2, 2:6] = expected[6:, 6:] = 1
    assert np.array_equal(stitcher.sums()[1], expected)


def test_a_weight_counts_like_a_repeated_patch() -> None:
    once, often = Stitcher((40, 36), 8), Stitcher((40, 36), 8)
    once.add(PATCHES, POSITIONS, COUNTS)
    often.add(np.repeat(PATCHES, COUNTS, 0), np.repeat(POSITIONS, COUNTS, 0))
    (image, weights), (images, others) = once.result(), often.result()
    for first, second in ((image, images), (weights, others)):
        assert np.allclose(first, second, rtol=1e-6, atol=1e-6)


def test_patches_outside_the_object_are_left_out() -> None:
    stitcher = Stitcher((20, 20), 8)
    stitcher.add(PATCHES[:3], np.array([[-4.5, 5.0], [30.0, 30.0], [1e9, -1e9]]))
    assert stitcher.result()[1].sum() == 0


@pytest.mark.parametrize("crop", [0, -2, 7])
def test_a_crop_that_is_not_even_and_positive_is_refused(crop: int) -> None:
    with pytest.raises(GeometryError, match="even"):
        Stitcher((8, 8), crop)


def test_a_crop_larger_than_the_patch_is_refused() -> None:
    with pytest.raises(GeometryError, match="larger than the patch"):
        central(np.zeros((1, 8, 8)), 10)


def test_the_smallest_object_holds_every_patch_and_no_negative_position() -> None:
    assert object_shape(np.array([[4.0, 10.5], [20.0, 4.0]]), 8) == (24, 15)
    with pytest.raises(GeometryError, match="negative"):
        object_shape(np.array([[-1.0, 3.0]]), 8)


def test_upstream_s_canvas_lies_around_the_mean_of_the_offsets() -> None:
    image = truth()
    corners = np.array([[12, 14], [12, 22], [20, 14], [20, 22]])
    patches = np.stack([image[y - 4 : y + 4, x - 4 : x + 4] for y, x in corners])
    canvas, origin_px = reassemble_upstream(patches, corners.astype(float), 8)
    assert (canvas.shape, origin_px) == ((16, 16), (8.0, 10.0))
    assert np.allclose(canvas, image[8:24, 10:26], rtol=1e-6)


@pytest.mark.parametrize(("case", "crop"), list(enumerate([20, 10, 64, 20, 14])))
def test_reassembly_agrees_with_upstream(unit: NpzFile, case: int, crop: int) -> None:
    patches = unit.array(f"ra{case}_patches")[..., 0]
    offsets = unit.array(f"ra{case}_offsets")[:, 0, ::-1, 0]
    canvas, _ = reassemble_upstream(patches, offsets, crop)
    assert np.abs(canvas - unit.array(f"ra{case}_out")[..., 0]).max() < 1e-4


def test_the_object_of_a_whole_upstream_run_is_reproduced(upstream_run: NpzFile) -> None:
    patches = upstream_run.array("pinn_patches")[..., 0]
    centres = upstream_run.array("pinn_offsets")[:, 0, ::-1, 0]
    expected = upstream_run.array("pinn_recon")[..., 0]
    canvas, (top, left) = reassemble_upstream(patches, centres, 20)
    assert np.abs(canvas - expected).max() < 1e-4
    assert (top, left) == pytest.approx((23.4376, 39.6813), abs=1e-3)


def test_the_mirrored_baseline_of_upstream_is_reproduced_on_request(upstream_run: NpzFile) -> None:
    amplitude, phase = (upstream_run.array(f"baseline_out_{part}") for part in ("amp", "phase"))
    patches = (amplitude * np.exp(1j * phase))[..., 0]
    offsets = upstream_run.array("baseline_offsets")[:, 0, ::-1, 0]
    canvas, _ = reassemble_upstream(patches, offsets, 20)
    assert np.abs(canvas - upstream_run.array("baseline_recon")[..., 0]).max() < 1e-5

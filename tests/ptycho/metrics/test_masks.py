from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

from ptyrun.ptycho.metrics import masks, measures
from ptyrun.ptycho.metrics.registration import Shift

Mask = NDArray[np.bool_]
SHAPES = [(1, 1), (5, 40), (11, 11), (12, 30), (64, 47), (97, 128)]


def _masks(shape: tuple[int, int]) -> list[Mask]:
    rng = np.random.default_rng(7)
    sparse, dense = (rng.random(shape) < share for share in (0.6, 0.999))
    return [np.ones(shape, bool), np.zeros(shape, bool), sparse, dense]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side_px", [1, 3, 7, 11])
def test_windows_are_whole_where_erosion_leaves_their_middle(
    shape: tuple[int, int], side_px: int
) -> None:
    for mask in _masks(shape):
        eroded = binary_erosion(mask, np.ones((side_px, side_px), bool))
        np.testing.assert_array_equal(masks.whole_windows(mask, side_px), eroded)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_average_is_known_where_all_its_pixels_are(shape: tuple[int, int]) -> None:
    for mask in _masks(shape):
        share = measures.halved(mask.astype(np.float64))
        np.testing.assert_array_equal(masks.halved_mask(mask), share == 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shift", [Shift(0.0, 0.0), Shift(3.0, -2.0), Shift(1.25, -0.5)])
def test_what_is_moved_by_a_fraction_loses_the_neighbours_of_holes(
    shape: tuple[int, int], shift: Shift
) -> None:
    for mask in _masks(shape):
        holes = np.roll(~mask, (int(shift.whole.dy_px), int(shift.whole.dx_px)), axis=(0, 1))
        lost = holes if shift == shift.whole else binary_dilation(holes)
        np.testing.assert_array_equal(masks.moved_mask(mask, shift), ~lost)


def test_a_mask_that_is_given_stays_as_it_is() -> None:
    for mask in _masks((33, 20)):
        before = mask.copy()
        masks.whole_windows(mask, 11)
        masks.halved_mask(mask)
        masks.moved_mask(mask, Shift(0.5, 0.0))
        np.testing.assert_array_equal(mask, before)

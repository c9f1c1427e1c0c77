from __future__ import annotations

import numpy as np
import pytest

from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.placement import check_extent, check_span, placed


@pytest.mark.parametrize("unit", [0, 1e-8, 0.009])
def test_positions_that_never_leave_a_pixel_are_refused(unit: float) -> None:
    positions = np.random.default_rng(0).uniform(40, 140, (50, 2)) * unit
    with pytest.raises(GeometryError, match=r"span 0\.\d\d px") as caught:
        check_span(positions)
    assert "object pixels" in str(caught.value)


@pytest.mark.parametrize(
    "positions",
    [[[50, 50]], [[50, 50], [50, 51]], [[50, 50], [58, 50]]],
    ids=["one", "a step", "a line"],
)
def test_a_line_and_a_single_position_may_be_scanned(positions: list[list[float]]) -> None:
    check_span(np.array(positions, float))


def test_a_stray_position_that_makes_the_object_larger_than_memory_is_named() -> None:
    positions = np.random.default_rng(0).uniform(40, 140, (200, 2))
    check_extent(positions, (156, 156), 156**2 * 40)
    positions[17] = 4e4, 52
    with pytest.raises(GeometryError, match=r"40016 x 156 px and take 0\.2 GiB") as caught:
        check_extent(positions, (40016, 156), 2**20)
    assert "number 17 at (40000, 52)" in str(caught.value)
    assert "which span 99 x 99 px" in str(caught.value)


def test_a_single_position_beyond_all_memory_is_refused_too() -> None:
    with pytest.raises(GeometryError, match="number 0"):
        check_extent(np.array([[1e6, 1e6]]), (1_000_016, 1_000_016), 2**40)


def test_what_has_the_grid_already_is_not_copied() -> None:
    image = np.full((40, 30), 1 + 2j, np.complex64)
    there, coverage = placed(image, (40, 30), (0, 0))
    assert there is image
    assert coverage.shape == (40, 30) and (coverage == 1).all() and coverage.dtype == np.float64
    moved, partly = placed(image, (40, 30), (0, 1))
    assert moved is not image and partly.sum() == 40 * 29

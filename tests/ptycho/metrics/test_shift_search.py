from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.shift_search import PEAK_PX, _Correlation, rolled
from tests.ptycho.metrics.objects import noise


@pytest.mark.parametrize("sides", [(48, 40), (33, 51)])
def test_of_a_correlation_what_is_not_too_far_is_as_in_the_whole_one(
    sides: tuple[int, int],
) -> None:
    field = noise(64, np.random.default_rng(5), 1.0)[: sides[0], : sides[1]]
    part = _Correlation.of(fft.fft2(field), 0.25)
    of_real = _Correlation.real(fft.rfft2(field.real), sides, 0.25)
    for moves, side in zip(part.moves, sides, strict=True):
        assert -moves[0] == moves[-1] == side // 4 + PEAK_PX // 2
    places = np.ix_(*(moves % side for moves, side in zip(part.moves, sides, strict=True)))
    for found in (part, of_real):
        np.testing.assert_allclose(found.values, field.real[places], atol=1e-12)


def test_a_region_is_cut_out_alike_inside_and_beyond_the_edges() -> None:
    image = np.arange(12.0).reshape(3, 4)
    inside = rolled(image, Region(1, 1, 2, 3))
    np.testing.assert_array_equal(inside, image[1:, 1:])
    inside[:] = 0
    assert image[1, 1] == 5, "it is a copy"
    np.testing.assert_array_equal(
        rolled(image, Region(-1, 2, 3, 4)), np.roll(image, (1, -2), axis=(0, 1))
    )

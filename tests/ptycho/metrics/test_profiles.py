from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf

from ptyrun.ptycho.metrics.profiles import along, edge_width_px

# Of an error function of standard deviation 1, from 10 to 90 %.
OF_SIGMA = 2.5631


@given(st.floats(1.5, 6), st.booleans(), st.floats(-3, 3))
def test_the_width_of_a_blurred_edge_is_found(sigma: float, falls: bool, place: float) -> None:
    x = np.arange(-40, 41)
    edge = 3 + 2 * erf((x - place) / (sigma * np.sqrt(2))) * (-1 if falls else 1)
    assert edge_width_px(edge) == pytest.approx(OF_SIGMA * sigma, abs=0.3)


def test_noise_and_flat_lines_have_no_edge() -> None:
    assert edge_width_px(np.ones(50)) is None
    assert edge_width_px(np.random.default_rng(1).normal(size=60)) is None
    assert edge_width_px(np.array([0.0, 1, 1])) is None
    assert edge_width_px(np.r_[np.zeros(20), np.nan, np.ones(20)]) is None


def test_values_are_read_between_pixels_and_not_where_nothing_is_known() -> None:
    y, x = np.mgrid[:30, :40].astype(float)
    image = (2 * y + 3 * x) + 1j * y
    covered = np.ones(image.shape, bool)
    covered[20, 20] = False
    values = along(image, covered, (2.5, 3.0, 2.5, 33.0))
    assert len(values) == 31
    assert values == pytest.approx(5 + 3 * (3.0 + np.arange(31)) + 2.5j)
    through = along(image, covered, (10.0, 20.0, 28.0, 20.0))
    assert np.flatnonzero(np.isnan(through)).tolist() == [10]
    outside = along(image, covered, (-4.0, 5.0, 6.0, 5.0))
    assert np.isnan(outside[:4]).all()
    assert np.isfinite(outside[5:]).all()

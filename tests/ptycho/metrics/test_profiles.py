from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf

from ptyrun.ptycho.metrics.profiles import (
    ALL_ALONG,
    FAINT,
    NO_EDGE,
    NOT_OF_REFERENCE,
    SEVERAL,
    TWO_EDGES,
    along,
    edge,
)

# Of an error function of standard deviation 1, from 10 to 90 %.
OF_SIGMA = 2.5631


@given(st.floats(1.5, 6), st.booleans(), st.floats(-3, 3))
def test_the_width_of_a_blurred_edge_is_found(sigma: float, falls: bool, place: float) -> None:
    x = np.arange(-40, 41)
    values = 3 + 2 * erf((x - place) / (sigma * np.sqrt(2))) * (-1 if falls else 1)
    assert edge(values).width_px == pytest.approx(OF_SIGMA * sigma, abs=0.3)


def test_noise_and_flat_lines_have_no_edge() -> None:
    assert edge(np.ones(50)).width_px is None
    assert edge(np.random.default_rng(1).normal(size=60)).width_px is None
    assert edge(np.array([0.0, 1, 1])).width_px is None
    assert edge(np.r_[np.zeros(20), np.nan, np.ones(20)]).width_px is None


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


@pytest.mark.parametrize("sigma", [2.0, 4.0])
@pytest.mark.parametrize("ends", [(20, 20, 80, 80), (80, 20, 20, 80), (30, 15, 62, 83)])
def test_an_edge_that_a_line_crosses_aslant_is_as_wide_as_the_way_across(
    sigma: float, ends: tuple[float, float, float, float]
) -> None:
    x = np.arange(100)[None] + np.zeros((100, 1))
    image = 3 + 2 * erf((x - 49.3) / (sigma * np.sqrt(2)))
    values = along(image, np.ones(image.shape, bool), ends)
    assert np.isfinite(values).all()
    y0, x0, y1, x1 = ends
    width = OF_SIGMA * sigma * np.hypot(y1 - y0, x1 - x0) / (x1 - x0)
    assert edge(values).width_px == pytest.approx(width, rel=0.06)


def test_values_are_a_pixel_apart_whatever_the_length_of_a_line() -> None:
    image = np.arange(30.0)[None] + np.zeros((30, 1))
    covered = np.ones(image.shape, bool)
    assert along(image, covered, (5, 2, 5, 9.8)) == pytest.approx(np.arange(2.0, 9.9))
    assert along(image, covered, (0, 29, 0, 0)) == pytest.approx(np.arange(29.0, -1, -1))
    assert along(image, covered, (4, 4, 4, 4)) == pytest.approx([4.0])


def test_why_there_is_no_width_is_said() -> None:
    bar = np.r_[np.zeros(20), np.ones(20), np.zeros(20)]
    noise = np.random.default_rng(1).normal(0, 0.05, (200, 60))
    assert edge(bar).why_none == TWO_EDGES
    assert {edge(bar + each).why_none for each in noise} == {TWO_EDGES}
    assert {edge(1 + each).why_none for each in noise} == {NO_EDGE}
    assert edge(np.ones(50)).why_none == NO_EDGE
    assert edge(np.linspace(0.1, -0.1, 60)).why_none == ALL_ALONG
    assert "too short" in edge(np.array([0.0, 1, 1])).why_none
    assert "leaves" in edge(np.r_[np.zeros(20), np.nan, np.ones(20)]).why_none
    assert edge(np.r_[np.zeros(20), np.ones(20)]).why_none == ""


def test_a_profile_that_comes_back_has_several_edges_and_one_that_swings_less_has_one() -> None:
    x = np.arange(80)
    step = 1 + erf((x - 30) / (2 * np.sqrt(2)))
    swing = np.exp(-(((x - 45) / 4) ** 2))
    assert edge(step - 1.2 * swing).why_none == SEVERAL
    assert edge(step[::-1] - 1.2 * swing[::-1]).why_none == SEVERAL
    assert edge(step - 0.6 * swing).width_px == pytest.approx(OF_SIGMA * 2, abs=0.3)
    before = np.exp(-(((x - 12) / 3) ** 2))
    assert edge(step + 1.2 * before).why_none == SEVERAL


def test_noise_and_ramps_have_no_width_beside_a_reference_without_such_an_edge() -> None:
    step = np.r_[np.zeros(20), np.ones(20)]
    assert edge(step).beside(edge(1.5 * step)).width_px == edge(step).width_px
    assert edge(step).beside(edge(2.5 * step)).why_none == FAINT
    bar = np.r_[np.zeros(15), np.ones(10), np.zeros(15)]
    assert edge(bar).beside(edge(3 * step)).why_none == FAINT
    assert edge(bar).beside(edge(step)).why_none == TWO_EDGES
    assert edge(bar).beside(edge(-step)).why_none == TWO_EDGES
    assert edge(step).beside(edge(1 - step)).why_none == FAINT
    assert edge(step).beside(edge(np.ones(40))).why_none == NOT_OF_REFERENCE
    assert edge(np.ones(40)).beside(edge(step)).why_none == NO_EDGE

from __future__ import annotations

import base64
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2lab

from ptyrun.report import colours


def pixels(uri: str) -> NDArray[np.uint8]:
    kind, data = uri.split(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


def test_both_ends_of_the_circle_have_the_same_colour() -> None:
    shown = pixels(colours.paint(np.array([[-math.pi, math.pi, 0.0]]), colours.full_circle()))
    first, last, middle = shown[0, :, :3].astype(int)
    assert np.abs(first - last).max() <= 8
    assert np.abs(first - middle).max() > 100


def test_what_is_not_known_is_transparent_and_nothing_else_is() -> None:
    values = np.array([[0.0, np.nan], [1.0, 0.5]])
    field = np.where(np.isnan(values), np.nan, values * (1 + 1j))
    alphas = [
        pixels(colours.paint(values, colours.spread(values, colours.AMPLITUDE, "a")))[..., 3],
        pixels(colours.paint_field(field, brightest=1.0))[..., 3],
    ]
    for alpha in alphas:
        np.testing.assert_array_equal(alpha, [[255, 0], [255, 255]])


@given(st.floats(-3.1, 3.1), st.floats(0.3, 1.0))
def test_phase_and_amplitude_can_be_read_back_from_the_colour_of_a_field(
    phase: float, amplitude: float
) -> None:
    shown = pixels(colours.paint_field(np.array([[amplitude * np.exp(1j * phase)]]), 1.0))
    lightness, a, b = rgb2lab(shown[..., :3])[0, 0]
    difference = np.angle(np.exp(1j * (math.atan2(b, a) - phase)))
    assert abs(difference) < 0.1
    assert lightness == pytest.approx(72 * amplitude, abs=1.5)


def test_the_wheel_is_a_disc_with_zero_phase_on_the_right_and_a_quarter_turn_on_top() -> None:
    wheel = pixels(colours.wheel(101))
    key = pixels(colours.paint_field(np.array([[0.9, 0.9j]]), 1.0))
    assert wheel[0, 0, 3] == 0
    np.testing.assert_allclose(wheel[50, 95], key[0, 0], atol=2)
    np.testing.assert_allclose(wheel[5, 50], key[0, 1], atol=2)


def test_a_scale_spans_the_middle_98_percent_and_survives_a_constant() -> None:
    outliers = np.append(np.linspace(0, 1, 1000), [1e6, -1e6, np.nan])
    scale = colours.spread(outliers, colours.AMPLITUDE, "a")
    assert (scale.low, scale.high) == (pytest.approx(0.01, abs=0.01), pytest.approx(0.99, abs=0.01))
    for constant in (0.0, -2.0):
        scale = colours.spread(np.full((3, 3), constant), colours.AMPLITUDE, "a")
        assert scale.low < constant < scale.high
    nothing = colours.spread(np.full((3, 3), np.nan), colours.AMPLITUDE, "a")
    assert nothing.low < nothing.high


def test_errors_of_all_arms_share_one_scale_around_zero() -> None:
    scale = colours.around_zero([np.array([0.1, -0.2]), np.array([-3.0, np.nan])], "error")
    assert -scale.low == scale.high == pytest.approx(3.0, rel=0.05)
    assert colours.around_zero([np.zeros(4)], "error").high == 1.0


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6))
def test_a_label_tells_its_value_apart_within_the_span(value: float, span: float) -> None:
    text = colours.number(value, span).replace("−", "-")
    assert abs(float(text) - value) <= max(0.01 * span, 1e-3 * abs(value))

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.report.scale_bar import scale_bar

METRES = {"m": 1.0, "mm": 1e-3, "µm": 1e-6, "nm": 1e-9, "pm": 1e-12}


@given(st.integers(4, 100_000), st.floats(1e-12, 1e-3))
def test_a_bar_is_as_long_as_its_label_says(width_px: int, pixel_size_m: float) -> None:
    bar = scale_bar(width_px, pixel_size_m)
    number, unit = bar.label.split()
    length_m = float(number) * METRES[unit]
    assert length_m / (width_px * pixel_size_m) == pytest.approx(bar.width_percent / 100, abs=1e-3)
    assert 11 < bar.width_percent <= 30.01
    assert re.fullmatch(r"[125]0*|0\.0*[125]", number)


@given(st.integers(4, 100_000))
def test_without_a_pixel_size_lengths_are_whole_pixels(width_px: int) -> None:
    number, unit = scale_bar(width_px, None).label.split()
    assert unit == "px"
    assert float(number).is_integer()

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib import image as png

from ptyrun.report.plots import UNCOVERED, Panel, colour_limits, comparison_plot

TRUTH = np.exp(1j * np.linspace(0, 1, 60 * 80).reshape(60, 80)).astype(np.complex64)


def pixels(content: bytes) -> np.ndarray:
    return png.imread(io.BytesIO(content), format="png")


def share_of(content: bytes, colour: str) -> float:
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return float((np.abs(pixels(content)[..., :3] - wanted) < 2e-3).all(axis=-1).mean())


def test_equal_panels_give_equal_bytes() -> None:
    panels = [Panel("arm", TRUTH, offset_px=(0.5, -1.25)), Panel("ground truth", TRUTH)]
    assert comparison_plot(panels) == comparison_plot(panels)
    assert comparison_plot(panels) != comparison_plot(panels[::-1])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_any_number_of_panels_stands_side_by_side(n: int) -> None:
    height, width, _ = pixels(comparison_plot([Panel("arm", TRUTH)] * n)).shape
    assert width > 400 * n
    assert height < 1000


def test_what_is_not_covered_has_a_colour_that_no_value_has() -> None:
    covered = np.ones(TRUTH.shape, bool)
    whole = comparison_plot([Panel("arm", TRUTH, covered)])
    covered[:30] = False
    holed = comparison_plot([Panel("arm", TRUTH, covered)])
    assert share_of(whole, UNCOVERED) == 0
    assert share_of(holed, UNCOVERED) > 0.2


def test_a_mismatch_is_marked_in_the_picture() -> None:
    plain = comparison_plot([Panel("arm", TRUTH)])
    marked = comparison_plot([Panel("arm", TRUTH, warning="does not belong to this scan")])
    assert share_of(plain, "#b00020") == 0
    assert share_of(marked, "#b00020") > 0.005


def test_colours_end_at_percentiles_unless_fixed() -> None:
    values = np.arange(101.0)
    assert colour_limits(values, (10, 90)) == (10, 90)
    assert colour_limits(values, (10, 90), (None, 50.0)) == (10, 50)
    assert colour_limits(np.full(4, 3.0), (10, 90)) == (2.5, 3.5)
    assert colour_limits(np.array([np.nan]), (10, 90)) == (0, 1)


def test_a_pixel_size_changes_the_scale_bar_only_there() -> None:
    in_px = pixels(comparison_plot([Panel("arm", TRUTH)]))
    in_nm = pixels(comparison_plot([Panel("arm", TRUTH)], pixel_size_m=5e-9))
    assert in_px.shape == in_nm.shape
    changed = (in_px != in_nm).any(axis=(1, 2))
    assert changed.any()
    assert not changed[: len(changed) // 2].any()

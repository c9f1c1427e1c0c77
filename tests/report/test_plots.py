from __future__ import annotations

import io
import itertools
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colormaps, rc_context
from matplotlib import image as png
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from PIL import Image
from skimage.color import rgb2lab

from ptyrun.report import colours, drawn
from ptyrun.report.plots import UNCOVERED, WARNING, comparison_figure
from ptyrun.report.ring_plots import Line, Rings, ring_figure
from ptyrun.report.views import Quantity, Scene, View

RNG = np.random.default_rng(2)
PHASE = np.linspace(-0.5, 0.5, 60 * 80).reshape(60, 80)
FOREIGN = "$\\frac{x$ <b>&]]> --> \u4e2d\u202e"


def view(name: str = "arm", phase: np.ndarray = PHASE, **more: object) -> View:
    images = {Quantity.PHASE: phase, Quantity.AMPLITUDE: 1 + 0.1 * phase}
    return View(name, name, images, **more)  # type: ignore[arg-type]


def pixels(content: bytes) -> np.ndarray:
    return png.imread(io.BytesIO(content), format="png")


def share_of(content: bytes, colour: str) -> float:
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return float((np.abs(pixels(content)[..., :3] - wanted) < 2e-3).all(axis=-1).mean())


def limits(scene: Scene) -> list[set[tuple[float, float]]]:
    """Ends of the colours of the panels, for each row of the figure."""
    shown = [axes for axes in comparison_figure(scene).axes if axes.images]
    found: dict[float, set[tuple[float, float]]] = {}
    for axes in shown:
        up = round(axes.get_position().y0, 3)
        found.setdefault(up, set()).add(axes.images[0].get_clim())
    return [found[up] for up in sorted(found, reverse=True)]


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_equal_scenes_give_equal_bytes(kind: str) -> None:
    scene = Scene([view(offset_px=(0.5, -1.25)), view("truth", is_reference=True)])
    contents = {drawn.content(comparison_figure(scene), kind) for _ in range(2)}
    assert len(contents) == 1
    assert contents.pop().startswith({"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[kind])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_any_number_of_views_stands_side_by_side(n: int) -> None:
    figure = comparison_figure(Scene([view(str(k)) for k in range(n)]))
    width, height = figure.get_size_inches()
    assert 3 * n < width < 4 * n + 1
    assert height < 7


def test_all_panels_of_a_row_have_one_scale_and_it_is_the_references() -> None:
    loud = view("loud", 20 * PHASE)
    scene = Scene([loud, view("truth", is_reference=True)])
    (phase,), (amplitude,) = limits(scene)
    assert phase == pytest.approx(tuple(np.percentile(PHASE, (1, 99))))
    assert amplitude == pytest.approx(tuple(np.percentile(1 + 0.1 * PHASE, (1, 99))))
    (pooled,), _ = limits(Scene([loud, view("quiet")]))
    assert pooled[0] < -5, "without a reference, all arms decide"


@given(st.floats(-3, 3), st.floats(0, 1e-6), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_constant_arm_is_drawn_constant(value: float, noise: float, is_per_arm: bool) -> None:
    constant = view("Baseline", value + noise * RNG.normal(size=PHASE.shape))
    scene = Scene([constant, view("truth", is_reference=True)], is_per_arm=is_per_arm)
    for quantity in scene.quantities:
        scale = scene.scales(quantity)[0]
        assert scale is not None
        fraction = (constant.images[quantity] - scale.low) / (scale.high - scale.low)
        shown = colormaps[scale.colours](np.clip(fraction, 0, 1))
        assert np.ptp(shown, axis=(0, 1)).max() < 0.02


def test_each_arm_has_its_own_grey_scale_where_that_is_asked_for() -> None:
    scene = Scene(
        [view("a", 2 * PHASE, phase_limits=(None, 3.0)), view("truth", is_reference=True)],
        percentiles=(10.0, 90.0),
        is_per_arm=True,
    )
    first, second = scene.scales(Quantity.PHASE)
    assert first is not None and second is not None
    assert (first.colours, second.colours) == ("gray", "gray")
    assert (first.low, first.high) == (pytest.approx(np.percentile(2 * PHASE, 10)), 3.0)
    assert (second.low, second.high) == pytest.approx(tuple(np.percentile(PHASE, (10, 90))))


def test_colours_go_round_only_where_the_phase_does() -> None:
    (flat,) = Scene([view()]).scales(Quantity.PHASE)
    (round_,) = Scene([view()], passes_a_turn=True).scales(Quantity.PHASE)
    assert flat is not None and not flat.cyclic
    assert round_ is not None and round_.cyclic
    circle = colormaps[round_.colours]
    assert circle(0.0) == pytest.approx(circle(1.0), abs=0.05)


@pytest.mark.parametrize("name", [colours.AMPLITUDE, colours.THIN_PHASE])
def test_equal_steps_of_a_value_look_equal(name: str) -> None:
    lightness = rgb2lab(colormaps[name](np.linspace(0, 1, 64))[None, :, :3])[0, :, 0]
    steps = np.diff(lightness)
    assert steps.min() > 0
    assert steps.std() / steps.mean() < 0.5


def test_errors_share_a_scale_around_zero_and_the_reference_has_none() -> None:
    arms = []
    for n in (1, 2):
        images = {**view().images, Quantity.PHASE_ERROR: 0.1 * n * PHASE}
        arms.append(View(str(n), str(n), images))
    scene = Scene([*arms, view("truth", is_reference=True)])
    first, second, none = scene.scales(Quantity.PHASE_ERROR)
    assert first == second and first is not None and none is None
    assert first.low == -first.high
    assert len(limits(scene)) == 3


def test_what_is_not_covered_has_a_colour_that_no_value_has() -> None:
    holed = PHASE.copy()
    holed[:30] = np.nan
    assert share_of(drawn.content(comparison_figure(Scene([view()]))), UNCOVERED) < 0.001
    assert share_of(drawn.content(comparison_figure(Scene([view(phase=holed)]))), UNCOVERED) > 0.1


def test_a_mismatch_is_marked_in_the_picture() -> None:
    plain = drawn.content(comparison_figure(Scene([view()])))
    marked = drawn.content(comparison_figure(Scene([view(warning="does not belong here")])))
    assert share_of(plain, WARNING) == 0
    assert share_of(marked, WARNING) > 0.002


def test_figures_and_offsets_stand_beside_their_pictures_and_the_bar_is_legible() -> None:
    captions = {Quantity.PHASE: "SSIM 0.9", Quantity.AMPLITUDE: "SSIM 0.8"}
    figure = comparison_figure(Scene([view(captions=captions, offset_px=(1, -2.5))]), 5e-9)
    said = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"SSIM 0.9", "SSIM 0.8", "100 nm"} <= said
    assert "dy +1.00 px, dx -2.50 px" in figure.axes[0].get_title()
    (bar,) = {t for t in figure.axes[0].texts if t.get_text() == "100 nm"}
    assert float(bar.get_fontsize()) >= 9
    assert bar.get_bbox_patch() is not None


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_a_label_is_text_and_no_formula_and_no_markup(kind: str) -> None:
    scene = Scene([View(FOREIGN, FOREIGN, view().images, {Quantity.PHASE: FOREIGN})])
    content = drawn.content(comparison_figure(scene), kind)
    x = np.linspace(0, 1, 9)
    rings = ring_figure(FOREIGN, [[Rings(FOREIGN, (Line(FOREIGN, x, x),), FOREIGN)]], None)
    for text in (content, drawn.content(rings, kind)):
        assert b"<b>" not in text


def test_a_picture_is_a_png_of_what_was_drawn_and_says_how_large_a_dot_is() -> None:
    figure = comparison_figure(Scene([view(captions={Quantity.PHASE: "SSIM 0.9"})]))
    figure.set_facecolor((1, 1, 1, 0.5))
    with Image.open(io.BytesIO(drawn.content(figure))) as opened:
        assert (opened.format, opened.mode) == ("PNG", "RGBA")
        assert opened.info["dpi"] == pytest.approx((drawn.DPI, drawn.DPI), abs=0.1)
        shown = np.asarray(opened)
    canvas: Any = FigureCanvasAgg(figure)
    with rc_context({"text.hinting": "none"}):
        canvas.draw()
    assert np.array_equal(shown, np.asarray(canvas.buffer_rgba()))
    assert shown[0, 0, 3] == 128


@pytest.mark.parametrize(
    ("low", "high", "label", "value", "unit"),
    [
        (-0.8, 0.79, "−0.2", -0.2, ""),
        (-1.0, 1.0, "0.75", 0.75, ""),
        (0.9999, 1.0001, "−0.000050", 0.99995, "+1"),
        (0.0, 3e-7, "0.5", 0.5e-7, "1e−7"),
    ],
)
def test_a_colour_bar_has_round_numbers_where_they_belong(
    low: float, high: float, label: str, value: float, unit: str
) -> None:
    image = np.linspace(low, high, 600).reshape(20, 30)
    shown = Scene([View("arm", "arm", {Quantity.AMPLITUDE: image})], percentiles=(0, 100))
    (axes,) = comparison_figure(shown).axes
    up = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert up[label] == pytest.approx((value - low) / (high - low))
    assert unit in up


def test_ring_curves_have_their_sign_a_band_and_an_axis_in_nanometres() -> None:
    x = np.linspace(0, 1, 33)
    line = Line("arm", x, np.cos(4 * x), low=np.cos(4 * x) - 0.1, high=np.cos(4 * x) + 0.1)
    limit = Line("0.5", x, np.full(33, 0.5), is_threshold=True)
    figure = ring_figure("FRC", [[Rings("phase", (limit, line))]], 2.5e-9)
    (sheet,) = figure.axes
    (frame,) = sheet.patches
    (band,) = (each for each in sheet.collections if isinstance(each, PolyCollection))
    assert len(band.get_paths()) == 1
    said = {text.get_text(): text.get_position()[0] for text in sheet.texts}
    left, width = frame.get_extents().x0 / drawn.DPI, frame.get_extents().width / drawn.DPI
    assert said["1/nm"] == pytest.approx(left + width / 2)
    assert said["0.05"] == pytest.approx(left + width / 4), "Nyquist is at 0.2 / nm"
    assert {"phase", "0.5", "arm"} <= said.keys()
    without = ring_figure("FRC", [[Rings("phase", (limit, line))]], None).axes[0]
    assert "1/nm" not in {text.get_text() for text in without.texts}
    assert {"−0.6", "0", "1"} <= {text.get_text() for text in without.texts}


def test_curves_and_intervals_stay_in_their_frame_and_leave_gaps_where_nothing_is_known() -> None:
    x = np.linspace(0, 1, 65)
    y = np.where((x > 0.4) & (x < 0.6), np.nan, 0.5)
    line = Line("_arm", x, y, low=y - 9, high=y + 9)
    figure = ring_figure("FRC", [[Rings("phase", (line,))]], None)
    assert "_arm" in {text.get_text() for text in figure.axes[0].texts}
    shown = pixels(drawn.content(figure))[..., :3]
    (frame,) = figure.axes[0].patches
    within, box = np.zeros(shown.shape[:2], bool), frame.get_extents()
    rows = slice(round(len(shown) - box.y1) - 2, round(len(shown) - box.y0) + 2)
    columns = slice(round(box.x0) - 2, round(box.x1) + 2)
    within[rows, columns] = True
    blue = shown[..., 2] - shown[..., 0] > 0.1
    legend = np.zeros_like(within)
    legend[rows.stop + 20 :] = True
    assert blue[within].mean() > 0.5
    assert not blue[~within & ~legend].any()
    middle = (columns.start + columns.stop) // 2
    assert not blue[rows, middle].any()


@pytest.mark.parametrize("n", [1, 4, 9])
def test_a_legend_names_each_line_once_and_stays_on_its_sheet(n: int) -> None:
    x = np.linspace(0, 1, 9)
    lines = tuple(Line(f"a rather long label of arm {k} {'x' * 40}", x, x, k) for k in range(n))
    figure = ring_figure("FRC", [[Rings("phase", lines), Rings("amplitude", lines)]], None)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    (sheet,) = figure.axes
    named = [text for text in sheet.texts if text.get_text().startswith("a rather")]
    assert len(named) == n
    boxes = [text.get_window_extent() for text in named]
    assert all(figure.bbox.x0 < box.x0 and box.x1 < figure.bbox.x1 for box in boxes)
    assert all(
        figure.bbox.y0 < box.y0 < box.y1 < sheet.patches[0].get_extents().y0 for box in boxes
    )
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_a_large_scene_takes_little_more_memory_than_its_images() -> None:
    images = {q: np.zeros((1024, 1024), np.float32) for q in (Quantity.PHASE, Quantity.AMPLITUDE)}
    scene = Scene([View("a", "a", images)])
    tracemalloc.start()
    began_s = time.process_time()
    drawn.content(comparison_figure(scene))
    took_s, (_, peak) = time.process_time() - began_s, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6
    assert took_s < 60

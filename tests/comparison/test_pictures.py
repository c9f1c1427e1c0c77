from __future__ import annotations

import time
import tracemalloc
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.comparison import figures
from ptyrun.comparison.pictures import scene
from ptyrun.comparison.shown_field import PRINTED_SIDE_PX
from ptyrun.config import Alignment, PlotScale, Presentation
from ptyrun.report.views import Quantity, Scene, View
from ptyrun.results import ArmResult, Metric, Results

EXACT = Alignment.EXACT


def thin_object(side: int = 96, turns: float = 0.2) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    phase = 2 * np.pi * turns * np.exp(-((x - 0.5) ** 2 + (y - 0.4) ** 2) / 0.06)
    amplitude = 1 - 0.4 * (np.hypot(x - 0.3, y - 0.7) < 0.15)
    return (amplitude * np.exp(1j * phase)).astype(np.complex64)


def results(names: tuple[str, ...], side: int, **more: Any) -> Results:
    standard = {"ssim": Metric(0.8123, 0.5), "mae": Metric(0.04, 0.1234), "frc50": Metric(0.7)}
    arms = {
        name: ArmResult(name.upper(), "predictor", 4, standard=standard, **more) for name in names
    }
    return Results("0" * 64, True, (0, 0, side, side), arms)


def aligned(arms: Mapping[str, np.ndarray], truth: np.ndarray) -> dict[str, np.ndarray]:
    found = {}
    for name, field in arms.items():
        found[f"{name}/aligned"], found[f"{name}/aligned_truth"] = field, truth
        found[f"{name}/aligned_covered"] = np.ones(field.shape, bool)
    return found


def assembled(arms: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = {}
    for name, field in arms.items():
        found[f"{name}/object"], found[f"{name}/coverage"] = field, np.ones(field.shape)
    return found


def shown(
    found: Results, arrays: Mapping[str, np.ndarray], options: Presentation | None = None,
    alignment: Alignment = EXACT,
) -> Scene:  # fmt: skip
    seen = scene(found, options or Presentation(), alignment, arrays.get)
    assert seen is not None
    return seen


def by_name(seen: Scene) -> dict[str, View]:
    return {view.name: view for view in seen.views}


TRUTH = thin_object()


def test_a_constant_arm_is_constant_beside_a_reference_that_is_not() -> None:
    seen = shown(results(("flat",), 96), aligned({"flat": np.full_like(TRUTH, 0.5j)}, TRUTH))
    flat = by_name(seen)["flat"]
    for quantity in (Quantity.PHASE, Quantity.AMPLITUDE):
        assert np.ptp(flat.images[quantity]) < 1e-5
    assert flat.images[Quantity.AMPLITUDE].mean() == pytest.approx(np.abs(TRUTH).mean(), rel=1e-5)
    (scale, _) = seen.scales(Quantity.PHASE)
    assert scale is not None and scale.high - scale.low > 1


def test_a_constant_arm_is_constant_whatever_ramp_its_alignment_put_on_it() -> None:
    y, x = np.mgrid[:96, :96]
    ramp = np.exp(1j * (0.01 * y + 0.004 * x)).astype(np.complex64)
    arrays = aligned({"flat": ramp, "ramped": TRUTH}, TRUTH)
    arrays |= assembled({"flat": np.full_like(TRUTH, 2j), "ramped": TRUTH * ramp})
    seen = shown(results(("flat", "ramped"), 96), arrays)
    flat, ramped, truth = seen.views
    assert np.ptp(flat.images[Quantity.PHASE]) < 1e-4
    assert np.ptp(flat.images[Quantity.PHASE_ERROR]) > 0.3, "errors are as measured"
    np.testing.assert_allclose(
        ramped.images[Quantity.PHASE], truth.images[Quantity.PHASE], atol=1e-4
    )
    assert [note for note in seen.notes if "FLAT has the ramp" in note]
    assert not [note for note in seen.notes if "RAMPED has" in note]


@given(st.floats(-3.1, 3.1), st.floats(-3.1, 3.1), st.floats(0.1, 9))
@settings(max_examples=20, deadline=None)
def test_phases_have_one_offset_and_amplitudes_one_mean(a: float, b: float, factor: float) -> None:
    first, second = TRUTH * np.exp(1j * a), factor * TRUTH * np.exp(1j * b)
    seen = shown(results(("first", "second"), 96), assembled({"first": first, "second": second}))
    one, other = seen.views
    np.testing.assert_allclose(one.images[Quantity.PHASE], other.images[Quantity.PHASE], atol=1e-3)
    np.testing.assert_allclose(
        one.images[Quantity.AMPLITUDE], other.images[Quantity.AMPLITUDE], rtol=1e-3
    )
    assert not seen.passes_a_turn


def test_without_a_reference_ramps_between_arms_are_taken_off() -> None:
    y, x = np.mgrid[:96, :96]
    tilted = (TRUTH * np.exp(1j * (0.05 * y - 0.11 * x))).astype(np.complex64)
    seen = shown(results(("first", "second"), 96), assembled({"first": TRUTH, "second": tilted}))
    one, other = seen.views
    assert np.abs(one.images[Quantity.PHASE] - other.images[Quantity.PHASE]).max() < 0.02
    assert "ramp" in seen.notes[0]
    assert not any(view.is_reference for view in seen.views)


@pytest.mark.parametrize(("turns", "passes"), [(0.1, False), (0.8, False), (1.5, True)])
def test_colours_are_cyclic_only_where_the_phase_passes_a_turn(turns: float, passes: bool) -> None:
    truth = thin_object(turns=turns) * np.exp(2j)
    seen = shown(results(("arm",), 96), aligned({"arm": truth}, truth))
    assert seen.passes_a_turn is passes
    assert seen.scales(Quantity.PHASE)[0].cyclic is passes  # type: ignore[union-attr]


def test_arms_are_cut_to_the_pixels_that_all_of_them_have() -> None:
    arrays = aligned({"a": TRUTH, "b": TRUTH[10:, 4:]}, TRUTH)
    arrays["b/aligned_truth"] = TRUTH[10:, 4:]
    arrays |= {"b/aligned_y": np.arange(10.0, 96), "b/aligned_x": np.arange(4.0, 96)}
    seen = shown(results(("a", "b"), 96), arrays)
    for view in seen.views:
        assert view.images[Quantity.PHASE].shape == (86, 92)
    for view in seen.views[:2]:
        assert np.abs(view.images[Quantity.PHASE_ERROR]).max() < 1e-5


def test_what_is_not_covered_or_has_no_amplitude_has_no_picture() -> None:
    arrays = aligned({"a": TRUTH.copy()}, TRUTH)
    arrays["a/aligned"][:10] = 0
    arrays["a/aligned_covered"][:, :20] = False
    arm = by_name(shown(results(("a",), 96), arrays))["a"]
    assert np.isnan(arm.images[Quantity.AMPLITUDE][:, :20]).all()
    assert np.isnan(arm.images[Quantity.PHASE][:10]).all()
    assert np.isfinite(arm.images[Quantity.AMPLITUDE][:, 20:]).all()


def test_figures_under_pictures_are_those_of_the_results() -> None:
    seen = shown(results(("a",), 96), aligned({"a": TRUTH}, TRUTH))
    arm = by_name(seen)["a"]
    assert arm.captions[Quantity.PHASE] == "SSIM 0.500"
    assert arm.captions[Quantity.AMPLITUDE] == "SSIM 0.812 · FRC50 0.700"
    assert arm.captions[Quantity.PHASE_ERROR] == "MAE 0.123 rad"


def test_upstreams_scales_come_with_its_alignment_or_where_they_are_asked_for() -> None:
    arrays = assembled({"pinn": 3 * TRUTH}) | {"ground_truth/object": TRUTH}
    rings = {"frc50": Metric(0.7)}
    found = results(("pinn",), 96, metrics=rings)
    upstream = shown(found, arrays, alignment=Alignment.UPSTREAM)
    assert upstream.is_per_arm and upstream.percentiles == (10, 90)
    assert by_name(upstream)["pinn"].images[Quantity.AMPLITUDE].max() == pytest.approx(3.0)
    assert "FRC50 0.700 rings" in by_name(upstream)["pinn"].captions[Quantity.AMPLITUDE]
    assert upstream.quantities == (Quantity.PHASE, Quantity.AMPLITUDE)
    arrays = aligned({"pinn": TRUTH}, TRUTH)
    for asked in (Presentation(plot_scale=PlotScale.PER_ARM), Presentation(pinn_phase_vmin=-1.0)):
        assert shown(results(("pinn",), 96), arrays, asked).is_per_arm
    assert shown(results(("pinn",), 96), arrays, Presentation()).percentiles == (1, 99)


def test_nothing_to_show_is_nothing() -> None:
    assert scene(results(("a",), 96), Presentation(), EXACT, lambda path: None) is None


def cost(side: int) -> tuple[float, int]:
    truth = np.tile(thin_object(50), (side // 50, side // 50))
    arrays = aligned({"a": truth, "b": truth * 1j}, truth)
    found = results(("a", "b"), side)
    tracemalloc.start()
    began_s = time.process_time()
    figure = figures.comparison_figure(found, Presentation(), EXACT, arrays.get)
    took_s, peak = time.process_time() - began_s, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert figure is not None
    shapes = [np.asarray(axes.images[0].get_array()).shape for axes in figure.axes if axes.images]
    assert max(map(max, shapes)) <= PRINTED_SIDE_PX
    return took_s, peak


def test_a_large_object_is_averaged_and_drawn_in_bounded_time_and_memory() -> None:
    small_s, _ = cost(500)
    large_s, peak = cost(2000)
    assert large_s < 16 * small_s + 2
    assert peak < 3 * 2000 * 2000 * 8 * 2, "a few copies of one object at a time"


def test_an_average_is_of_what_is_known() -> None:
    truth = np.full((2000, 1500), 2.0, np.complex64)
    arrays = aligned({"a": truth.copy()}, truth)
    arrays["a/aligned"][::2] = 99
    arrays["a/aligned_covered"][::2] = False
    arrays["a/aligned_covered"][:200] = False
    seen = shown(results(("a",), 1500), arrays)
    assert seen.step_px == 2
    amplitude = by_name(seen)["a"].images[Quantity.AMPLITUDE]
    assert amplitude.shape == (1000, 750)
    assert np.isnan(amplitude[:100]).all()
    np.testing.assert_allclose(amplitude[100:], 2.0)

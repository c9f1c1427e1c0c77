"""What is shown of a finished comparison, and which figures stand under it?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.shown_field import (
    LONGEST_SIDE_PX,
    Field,
    phase_spread,
    step_of,
    unit_between,
)
from ptyrun.config import Alignment, Presentation
from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.alignment import align
from ptyrun.ptycho.metrics.factors import amplitude_factor
from ptyrun.ptycho.metrics.phase_pair import passes_a_turn, turn_to_middle, where_defined
from ptyrun.report.views import Quantity, Scene, View
from ptyrun.results import ArmResult, Metric, Results

FOREIGN = "does not belong to this scan"
FLATTER = 0.5
REFERENCE = "ground_truth"

Array = Callable[[str], NDArray[Any] | None]
Complex2D = NDArray[np.complexfloating[Any, Any]]
Float2D = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


def scene(
    results: Results,
    presentation: Presentation,
    alignment: Alignment,
    array: Array,
    longest_px: int = LONGEST_SIDE_PX,
) -> Scene | None:
    """Give what ``comparison_plot`` and the report show: each arm, then what it is held against.

    Parameters
    ----------
    results : Results
    presentation : Presentation
    alignment : Alignment
        With upstream's, objects are shown as they were assembled, each on its own scale.
    array : callable
        Gives an array by its path in ``objects.zarr``; None if there is none.
    longest_px : int
        Longer sides are averaged over squares of pixels.

    Returns
    -------
    Scene or None
        Of the pixels that are compared.
        Amplitudes have the mean of the reference's, phases one offset; without a reference, these
        are the first arm's. None if there is nothing to show.
    """
    if alignment is Alignment.UPSTREAM:
        return _as_assembled(results, presentation, array, longest_px)
    held = _against_reference(results, array) or _against_each_other(results, array)
    if held is None:
        return None
    fields, reference, is_arm = held
    step = step_of(reference.values.shape, longest_px)
    small = {name: field.thinned(step) for name, field in fields.items()}
    target = reference.thinned(step)
    where = where_defined(target.values, target.covered)
    turn = turn_to_middle(target.values, where)
    views, flattened = [], []
    for name, field in small.items():
        arm = results.arms[name]
        images = images_of(field, target, turn, has_error=not is_arm)
        flat = None if is_arm else _flat(name, fields[name], array)
        if flat is not None:
            images |= images_of(flat.thinned(step), target, turn)
            flattened.append(arm.label)
        views.append(
            View(
                name=name,
                label=arm.label,
                images=images,
                captions=(
                    _pair_captions(results, name, images)
                    if is_arm
                    else _captions(arm.standard, images)
                ),
                offset_px=_offset_px(arm),
                is_unregistered=arm.is_unregistered,
                phase_limits=presentation.phase_limits(name),
                warning=FOREIGN if arm.mismatch else None,
            )
        )
    if not is_arm:
        images = images_of(target, target, turn, has_error=False)
        label = reference_label(results)
        views.append(View(REFERENCE, label, images, is_reference=True))
    per_arm = presentation.is_per_arm
    return Scene(
        views,
        step_px=step,
        passes_a_turn=passes_a_turn(np.angle(target.values * turn), where),
        percentiles=presentation.percentiles(is_per_arm=per_arm),
        is_per_arm=per_arm,
        notes=(
            *_notes(results, reference, step, presentation, is_arm=is_arm),
            *(f"{label} has the ramp of its alignment in the errors alone." for label in flattened),
        ),
    )


def reference_label(results: Results) -> str:
    """What arms are held against is called in pictures and tables."""
    return results.object_role.capitalize()


def _notes(
    results: Results, reference: Field, step: int, shown: Presentation, *, is_arm: bool
) -> Iterator[str]:
    height, width = reference.values.shape
    what = f"the {reference_label(results).lower()}"
    if is_arm:
        what = next(iter(results.arms.values())).label
    yield (
        f"{height} × {width} px, all of one grid; phases with one offset"
        f"{' and ramp' if is_arm else ''}, amplitudes with one mean: those of {what}."
    )
    low, high = shown.percentiles(is_per_arm=shown.is_per_arm)
    if shown.is_per_arm:
        yield f"Each picture has its own scale: its percentiles {low:g} and {high:g}."
    else:
        whose = "all arms" if is_arm else what
        yield f"One scale for each row: percentiles {low:g} and {high:g} of {whose}."
    if step > 1:
        yield f"Each pixel of the pictures is the mean of {step} × {step} px."


def images_of(
    field: Field, target: Field, turn: complex, *, has_error: bool = False
) -> dict[Quantity, Float2D]:
    """Give phase and amplitude as they are shown, and with *has_error* how they differ.

    Parameters
    ----------
    field, target : Field
        Of one grid; the first gets the second's mean amplitude.
    turn : complex
        Brings the middle of the target's phases to zero.
    """
    covered = field.covered
    amplitude, wanted = np.abs(field.values), np.abs(target.values)
    both = covered & target.covered
    if both.any():
        amplitude = amplitude * amplitude_factor(amplitude, wanted, both)
    has_phase = where_defined(field.values, covered)
    images = {
        Quantity.PHASE: _known(np.angle(field.values * turn), has_phase),
        Quantity.AMPLITUDE: _known(amplitude, covered),
    }
    if has_error:
        error = np.angle(field.values * target.values.conj())
        expected = has_phase & where_defined(target.values, target.covered)
        images[Quantity.PHASE_ERROR] = _known(error, expected)
        images[Quantity.AMPLITUDE_ERROR] = _known(amplitude - wanted, both)
    return images


def _known(values: Float2D, where: Mask) -> Float2D:
    return np.where(where, values, np.nan).astype(np.float32)


Held = tuple[dict[str, Field], Field, bool]


def _against_reference(results: Results, array: Array) -> Held | None:
    """Registered arms and their reference, of the pixels that all of them have."""
    if (found := _on_common_ground(results, array)) is not None:
        return found
    arms, truths = {}, {}
    for name in results.arms:
        field, truth = array(f"{name}/aligned"), array(f"{name}/aligned_truth")
        if field is None or truth is None:
            continue
        covered = array(f"{name}/aligned_covered")
        top, left = _corner(array(f"{name}/aligned_y")), _corner(array(f"{name}/aligned_x"))
        everywhere = np.ones(field.shape, bool)
        arms[name] = Field(field, everywhere if covered is None else covered, top, left)
        truths[name] = Field(truth, everywhere, top, left)
    region = _overlap(arms.values())
    if region is None:
        return None
    reference = next(iter(truths.values())).within(region)
    return {name: field.within(region) for name, field in arms.items()}, reference, False


def _on_common_ground(results: Results, array: Array) -> Held | None:
    """Just what was measured, where all arms are known."""
    truth, covered = array(f"{REFERENCE}/common"), array(f"{REFERENCE}/common_covered")
    fields = {name: array(f"{name}/common") for name in results.arms}
    if truth is None or covered is None:
        return None
    top, left = (_corner(array(f"{REFERENCE}/common_{axis}")) for axis in ("y", "x"))
    arms = {
        name: Field(field, covered, top, left)
        for name, field in fields.items()
        if field is not None
    }
    reference = Field(truth, np.ones(truth.shape, bool), top, left)
    return (arms, reference, False) if arms else None


def _flat(name: str, aligned: Field, array: Array) -> Field | None:
    """Give an arm without the ramp of its alignment, if it has less contrast without.

    What predicts a constant is given the truth's mean ramp, which would be taken for a prediction.
    """
    image = array(f"{name}/object")
    known = aligned.covered
    if image is None or not known.any():
        return None
    own = image[aligned.region.slices]
    if own.shape != known.shape or phase_spread(own[known]) > FLATTER * phase_spread(
        aligned.values[known]
    ):
        return None
    return Field(
        (own * unit_between(own, aligned.values, known)).astype(np.complex64),
        known,
        aligned.top,
        aligned.left,
    )


def _against_each_other(results: Results, array: Array) -> Held | None:
    """Arms without phase ramps between them; the first decides."""
    inside = Region(*results.evaluated_region_px)
    found = {}
    for name in results.arms:
        field, coverage = array(f"{name}/object"), array(f"{name}/coverage")
        if field is not None and coverage is not None and (coverage > 0)[inside.slices].any():
            found[name] = Field(field, coverage > 0).within(inside)
    if not found:
        return None
    first, *others = found
    anchor = found[first]
    step = step_of(anchor.values.shape)
    for name in others:
        found[name] = without_ramp(found[name], anchor, step)
    return found, anchor, True


def without_ramp(field: Field, anchor: Field, step: int) -> Field:
    """Take off the ramp and the phase that *field* has and *anchor* has not."""
    both = field.covered & anchor.covered
    thin = (slice(None, None, step),) * 2
    try:
        found = align(field.values[thin], anchor.values[thin], both[thin], shift=False)
    except GeometryError:  # too little to tell a ramp
        return field
    y, x = (np.arange(side) - side / 2 for side in field.values.shape)
    ramp = found.ramp
    plane = np.exp(-1j * ramp.y_rad_per_px / step * y)[:, None] * np.exp(
        -1j * ramp.x_rad_per_px / step * x
    )
    flat = field.values * plane
    if phase_spread(field.values[both]) < FLATTER * phase_spread(flat[both]):
        flat = field.values
    unit = unit_between(flat, anchor.values, both)
    return Field((flat * unit).astype(np.complex64), field.covered, field.top, field.left)


def _as_assembled(
    results: Results, presentation: Presentation, array: Array, longest_px: int
) -> Scene | None:
    """Show what PtychoPINN shows: objects as they are, each on its own scale."""
    inside = Region(*results.evaluated_region_px).slices
    views, step = [], 1
    for name in (*results.arms, REFERENCE):
        field, coverage = array(f"{name}/object"), array(f"{name}/coverage")
        if field is None or (coverage is None and name != REFERENCE):
            continue
        known = np.ones(field.shape, bool) if coverage is None else coverage > 0
        cut = Field(field[inside], known[inside])
        step = step_of(cut.values.shape, longest_px)
        small = cut.thinned(step)
        images = {
            Quantity.PHASE: _known(np.angle(small.values), small.covered),
            Quantity.AMPLITUDE: _known(np.abs(small.values), small.covered),
        }
        arm = results.arms.get(name)
        views.append(
            View(
                name=name,
                label=arm.label if arm else reference_label(results),
                images=images,
                captions=_captions(arm.metrics, images, frc_unit=" rings") if arm else {},
                is_reference=arm is None,
                offset_px=_offset_px(arm) if arm else None,
                is_unregistered=arm is not None and arm.is_unregistered,
                phase_limits=presentation.phase_limits(name),
                warning=FOREIGN if arm and arm.mismatch else None,
            )
        )
    if not views:
        return None
    low, high = presentation.percentiles(is_per_arm=True)
    note = f"PtychoPINN’s scales: each picture’s own percentiles {low:g} and {high:g}."
    return Scene(views, step, percentiles=(low, high), is_per_arm=True, notes=(note,))


def _pair_captions(
    results: Results, name: str, images: Mapping[Quantity, Float2D]
) -> dict[Quantity, str]:
    """Say of an arm how it agrees with the first one."""
    first = next(iter(results.arms))
    for pair in results.pairs:
        if {pair.first, pair.second} == {first, name}:
            found = _captions(pair.standard, images)
            label = results.arms[first].label
            return {quantity: f"with {label}: {said}" for quantity, said in found.items() if said}
    return {}


def _captions(
    metrics: Mapping[str, Metric], images: Mapping[Quantity, Float2D], frc_unit: str = ""
) -> dict[Quantity, str]:
    """Say of each picture what was measured of it."""
    wanted = {
        Quantity.PHASE: (("ssim", "SSIM"), ("frc50", "FRC50")),
        Quantity.AMPLITUDE: (("ssim", "SSIM"), ("frc50", "FRC50")),
        Quantity.PHASE_ERROR: (("mae", "MAE"), ("psnr", "PSNR")),
        Quantity.AMPLITUDE_ERROR: (("mae", "MAE"), ("psnr", "PSNR")),
    }
    return {
        quantity: " · ".join(_said(metrics, quantity, wanted[quantity], frc_unit))
        for quantity in images
    }


def _said(
    metrics: Mapping[str, Metric],
    quantity: Quantity,
    wanted: Iterable[tuple[str, str]],
    frc_unit: str,
) -> Iterator[str]:
    part = quantity.value.removesuffix("-error")
    for name, words in wanted:
        value = metrics.get(name, Metric())[part]
        if value is not None and math.isfinite(value):
            of_phase = " rad" if part == "phase" else ""
            unit = {"psnr": " dB", "mae": of_phase, "frc50": frc_unit}.get(name, "")
            yield f"{words} {value:.3f}{unit}".replace("-", "−")


def _offset_px(arm: ArmResult) -> tuple[float, float] | None:
    found = [arm.metrics.get(f"registration_offset_{axis}") for axis in ("dy", "dx")]
    dy, dx = (None if metric is None else metric.value for metric in found)
    return None if dy is None or dx is None else (dy, dx)


def _corner(places: NDArray[Any] | None) -> int:
    return 0 if places is None or not places.size else int(places[0])


def _overlap(fields: Iterable[Field]) -> Region | None:
    region = None
    for field in fields:
        region = field.region if region is None else region.overlap(field.region)
    return region if region is not None and min(region.height, region.width) > 0 else None

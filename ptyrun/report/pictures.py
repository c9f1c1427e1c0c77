"""How do images become pictures of a page?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ptyrun.report import colours
from ptyrun.report.colours import Scale
from ptyrun.report.scale_bar import ScaleBar, scale_bar
from ptyrun.report.views import Quantity, Scene

Complex2D = NDArray[np.complexfloating]
Float2D = NDArray[np.floating]

_Number = TypeVar("_Number", bound=np.generic)

LONGEST_SIDE_PX = 1024

_HEADINGS = {
    Quantity.PHASE: "Phase",
    Quantity.AMPLITUDE: "Amplitude",
    Quantity.PHASE_ERROR: "Phase error",
    Quantity.AMPLITUDE_ERROR: "Amplitude error",
}


@dataclass(frozen=True)
class Subject:
    """What is pictured: a complex image (H, W), NaN where nothing is known."""

    name: str
    label: str
    field: Complex2D


@dataclass(frozen=True)
class Picture:
    """One image, ready to be shown; ``caption`` has figures of it."""

    name: str
    title: str
    alt: str
    src: str
    width_px: int
    height_px: int
    scale_bar: ScaleBar
    scale: Scale | None = None
    caption: str = ""


@dataclass(frozen=True)
class Row:
    """Pictures of one quantity, one for each arm, side by side.

    All of them have ``scale``, where it is given.
    """

    name: str
    heading: str
    text: str
    pictures: tuple[Picture, ...]
    wheel: str | None = None
    scale: Scale | None = None


def scene_rows(scene: Scene, pixel_size_m: float | None) -> tuple[Row, ...]:
    """Give a row for each quantity of a scene, in the colours of `Scene.scales`.

    Parameters
    ----------
    scene : Scene
    pixel_size_m : float or None
        Object pixel; None draws scale bars in pixels.
    """
    return tuple(_scene_row(scene, quantity, pixel_size_m) for quantity in scene.quantities)


def _scene_row(scene: Scene, quantity: Quantity, pixel_size_m: float | None) -> Row:
    heading = _HEADINGS[quantity]
    pictures = []
    for view, scale in zip(scene.views, scene.scales(quantity), strict=True):
        if scale is None:
            continue
        image = view.images[quantity]
        ends = f", from {scale.low_label} to {scale.high_label}"
        pictures.append(
            _picture(
                f"{quantity.value}-{view.name.replace('_', '-')}",
                view.label,
                f"{heading} of {view.label}",
                colours.paint(image, scale),
                (image.shape[0], image.shape[1]),
                scene.step_px,
                pixel_size_m,
                ends,
                scale,
                view.captions.get(quantity, ""),
            )
        )
    is_shared = quantity.is_error or not scene.is_per_arm
    return Row(
        quantity.value,
        heading,
        _row_text(scene, quantity),
        tuple(pictures),
        scale=pictures[0].scale if is_shared else None,
    )


def _row_text(scene: Scene, quantity: Quantity) -> str:
    if quantity is Quantity.PHASE_ERROR:
        return "Phase of arm × conjugate reference. White is right; one scale for all arms."
    if quantity is Quantity.AMPLITUDE_ERROR:
        return "Arm minus reference, with one mean. White is right; one scale for all arms."
    if scene.is_per_arm:
        return "Each picture has its own scale: brightness of two pictures cannot be compared."
    if quantity is Quantity.PHASE and scene.passes_a_turn:
        return "One circle for all; both ends of the bar are the same phase and the same colour."
    return "One scale for all pictures."


def field_row(subjects: Sequence[Subject], pixel_size_m: float | None, name: str = "field") -> Row:
    """Give complex fields (H, W): hue is phase, lightness amplitude, each by its own brightest."""
    pictures = tuple(
        _picture(
            f"{name}-{subject.name}",
            subject.label,
            f"Complex field of {subject.label}",
            _painted_field(subject.field),
            (subject.field.shape[0], subject.field.shape[1]),
            1,
            pixel_size_m,
        )
        for subject in subjects
    )
    text = "Hue is phase, lightness is amplitude, as the wheel shows."
    return Row(name, "Complex field", text, pictures, colours.wheel())


def _picture(
    name: str,
    title: str,
    what: str,
    src: str,
    shape: tuple[int, int],
    step_px: int,
    pixel_size_m: float | None,
    ends: str = "",
    scale: Scale | None = None,
    caption: str = "",
) -> Picture:
    height_px, width_px = shape
    return Picture(
        name=name,
        title=title,
        alt=f"{what}, {width_px * step_px} × {height_px * step_px} pixels{ends}",
        src=src,
        width_px=width_px,
        height_px=height_px,
        scale_bar=scale_bar(width_px * step_px, pixel_size_m),
        scale=scale,
        caption=caption,
    )


def _painted_field(field: Complex2D) -> str:
    brightest = colours.spread(np.abs(field), colours.AMPLITUDE, "amplitude").high
    return colours.paint_field(_thinned(field), brightest)


def _thinned(image: NDArray[_Number]) -> NDArray[_Number]:
    step = math.ceil(max(image.shape) / LONGEST_SIDE_PX)
    return image[::step, ::step]

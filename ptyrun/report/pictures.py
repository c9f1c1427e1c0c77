"""What does an object look like, and where is it wrong?"""

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

Complex2D = NDArray[np.complexfloating]
Float2D = NDArray[np.floating]

_Number = TypeVar("_Number", bound=np.generic)

LONGEST_SIDE_PX = 1024


@dataclass(frozen=True)
class Subject:
    """What is pictured: a complex image (H, W), NaN where nothing is known."""

    name: str
    label: str
    field: Complex2D


@dataclass(frozen=True)
class Comparison:
    """An arm and the truth (H, W) on one grid, registered and aligned."""

    name: str
    label: str
    field: Complex2D
    truth: Complex2D


@dataclass(frozen=True)
class Picture:
    """One image, ready to be shown."""

    name: str
    title: str
    alt: str
    src: str
    width_px: int
    height_px: int
    scale_bar: ScaleBar
    scale: Scale | None = None


@dataclass(frozen=True)
class Row:
    """Pictures of one quantity, one for each arm, side by side."""

    name: str
    heading: str
    text: str
    pictures: tuple[Picture, ...]
    wheel: str | None = None


def object_rows(subjects: Sequence[Subject], pixel_size_m: float | None) -> tuple[Row, ...]:
    """Amplitude, phase and complex field of every subject.

    Parameters
    ----------
    subjects : sequence of Subject
        Fields of shape (H, W); one with a side above 1024 pixels is thinned to every k-th pixel.
    pixel_size_m : float or None
        Object pixel; None draws scale bars in pixels.

    Returns
    -------
    tuple of Row
        Phases that keep within half a circle get one more row, with their contrast stretched.
    """
    amplitudes = [np.abs(subject.field) for subject in subjects]
    phases = [np.angle(subject.field) for subject in subjects]
    stretched = [colours.spread(phase, colours.THIN_PHASE, "phase (rad)") for phase in phases]
    frame = _Frame(subjects, pixel_size_m)
    rows = [
        frame.row(
            "amplitude",
            "Amplitude",
            "Each picture spans the middle 98 % of its own values.",
            amplitudes,
            [colours.spread(values, colours.AMPLITUDE, "amplitude") for values in amplitudes],
        ),
        frame.row(
            "phase",
            "Phase",
            "One circle for all; both ends of the bar are the same phase and the same colour.",
            phases,
            [colours.full_circle()] * len(phases),
        ),
    ]
    if any(scale.high - scale.low < math.pi for scale in stretched):
        text = "The same phases, each picture spanning the middle 98 % of its own values."
        rows.append(frame.row("stretched", "Phase, contrast stretched", text, phases, stretched))
    return (*rows, frame.field_row())


def error_rows(comparisons: Sequence[Comparison], pixel_size_m: float | None) -> tuple[Row, ...]:
    """Amplitude and phase of every arm minus those of the truth, one colour scale for all arms.

    Amplitudes are first brought to the truth's mean, as upstream's metrics do
    (``mean(target) / mean(prediction)``).
    """
    if not comparisons:
        return ()
    amplitudes = [_amplitude_error(pair) for pair in comparisons]
    phases = [np.angle(pair.field * np.conj(pair.truth)) for pair in comparisons]
    frame = _Frame([Subject(p.name, p.label, p.field) for p in comparisons], pixel_size_m)
    amplitude_scale = colours.around_zero(amplitudes, "amplitude error")
    phase_scale = colours.around_zero(phases, "phase error (rad)")
    many = len(comparisons)
    return (
        frame.row(
            "amplitude-error",
            "Amplitude error",
            "Arm minus ground truth, after scaling the arm to the truth's mean amplitude. "
            "White is right; all arms share one scale.",
            amplitudes,
            [amplitude_scale] * many,
        ),
        frame.row(
            "phase-error",
            "Phase error",
            "Phase of arm × conjugate truth. White is right; all arms share one scale.",
            phases,
            [phase_scale] * many,
        ),
    )


def _amplitude_error(pair: Comparison) -> Float2D:
    amplitude, target = np.abs(pair.field), np.abs(pair.truth)
    mean = np.nanmean(amplitude)
    return amplitude * (np.nanmean(target) / mean if mean > 0 else 1.0) - target


class _Frame:
    """Lays colours on images of the same subjects and describes them."""

    def __init__(self, subjects: Sequence[Subject], pixel_size_m: float | None) -> None:
        self._subjects = subjects
        self._pixel_size_m = pixel_size_m

    def row(
        self, name: str, heading: str, text: str, images: Sequence[Float2D], scales: Sequence[Scale]
    ) -> Row:
        pictures = tuple(
            self._picture(name, heading, subject, colours.paint(_thinned(image), scale), scale)
            for subject, image, scale in zip(self._subjects, images, scales, strict=True)
        )
        return Row(name, heading, text, pictures)

    def field_row(self) -> Row:
        pictures = tuple(
            self._picture("field", "Complex field", subject, _painted_field(subject.field))
            for subject in self._subjects
        )
        text = "Hue is phase, lightness is amplitude, as the wheel shows."
        return Row("field", "Complex field", text, pictures, colours.wheel())

    def _picture(
        self, row: str, heading: str, subject: Subject, src: str, scale: Scale | None = None
    ) -> Picture:
        height_px, width_px = subject.field.shape
        ends = f", from {scale.low_label} to {scale.high_label}" if scale else ""
        return Picture(
            name=f"{row}-{subject.name}",
            title=subject.label,
            alt=f"{heading} of {subject.label}, {width_px} × {height_px} pixels{ends}",
            src=src,
            width_px=width_px,
            height_px=height_px,
            scale_bar=scale_bar(width_px, self._pixel_size_m),
            scale=scale,
        )


def _painted_field(field: Complex2D) -> str:
    brightest = colours.spread(np.abs(field), colours.AMPLITUDE, "amplitude").high
    return colours.paint_field(_thinned(field), brightest)


def _thinned(image: NDArray[_Number]) -> NDArray[_Number]:
    step = math.ceil(max(image.shape) / LONGEST_SIDE_PX)
    return image[::step, ::step]

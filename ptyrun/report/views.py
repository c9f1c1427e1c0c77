"""What is shown of each arm, and by which colours?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ptyrun.report import colours
from ptyrun.report.colours import Scale

Float2D = NDArray[np.floating]
Limits = tuple[float | None, float | None]


class Quantity(StrEnum):
    """What a picture is of, in the order of the rows."""

    PHASE = "phase"
    AMPLITUDE = "amplitude"
    PHASE_ERROR = "phase-error"
    AMPLITUDE_ERROR = "amplitude-error"

    @property
    def is_error(self) -> bool:
        """Whether it is a difference from the reference."""
        return self in (Quantity.PHASE_ERROR, Quantity.AMPLITUDE_ERROR)

    @property
    def words(self) -> str:
        """As it stands beside pictures."""
        unit = " (rad)" if self in (Quantity.PHASE, Quantity.PHASE_ERROR) else ""
        return self.value.replace("-", " ") + unit


@dataclass(frozen=True)
class View:
    """An arm, or what arms are held against.

    Attributes
    ----------
    name, label : str
    images : mapping of Quantity to ndarray of float, shape (H, W)
        NaN where nothing is known.
    captions : mapping of Quantity to str
        Figures that belong under a picture.
    is_reference : bool
    offset_px : (float, float), optional
        The registration's (dy, dx).
    is_unregistered : bool
        Whether it was left where it lies, though others may have been moved.
    phase_limits : (float or None, float or None)
        Fixed ends of the phase's colours in radians.
    warning : str, optional
        As for an arm that does not belong to the scan.
    """

    name: str
    label: str
    images: Mapping[Quantity, Float2D]
    captions: Mapping[Quantity, str] = field(default_factory=dict)
    is_reference: bool = False
    offset_px: tuple[float, float] | None = None
    is_unregistered: bool = False
    phase_limits: Limits = (None, None)
    warning: str | None = None


@dataclass(frozen=True)
class Scene:
    """Views (at least one) of one grid, side by side.

    Attributes
    ----------
    views : sequence of View
    step_px : int
        Pixels of the object, along a side, that are one pixel of an image.
    passes_a_turn : bool
        Whether phases are shown on a circle of colours.
    percentiles : (float, float)
        Which values the ends of the colours are.
    is_per_arm : bool
        Whether each view has colours of its own, in grey, as PtychoPINN draws them.
    notes : tuple of str
        What was done to the images before they were drawn.
    """

    views: Sequence[View]
    step_px: int = 1
    passes_a_turn: bool = False
    percentiles: tuple[float, float] = (1.0, 99.0)
    is_per_arm: bool = False
    notes: tuple[str, ...] = ()

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What any view shows."""
        return tuple(q for q in Quantity if any(q in view.images for view in self.views))

    def scales(self, quantity: Quantity) -> list[Scale | None]:
        """Give each view its colours: one scale for all of them, unless each has its own.

        The common scale has the percentiles of the reference, or of all views where there is
        none; errors are around zero.
        """
        images = [view.images.get(quantity) for view in self.views]
        if self.is_per_arm and not quantity.is_error:
            return [
                None if image is None else self._own(quantity, view, image)
                for view, image in zip(self.views, images, strict=True)
            ]
        known = [image for image in images if image is not None]
        shared = self._shared(quantity, known)
        return [None if image is None else shared for image in images]

    def _shared(self, quantity: Quantity, known: list[Float2D]) -> Scale:
        if quantity.is_error:
            return colours.around_zero(known, quantity.words)
        if quantity is Quantity.PHASE and self.passes_a_turn:
            return colours.full_circle()
        deciding = [
            view.images[quantity]
            for view in self.views
            if view.is_reference and quantity in view.images
        ] or known
        values = np.concatenate([image.ravel() for image in deciding])
        name = colours.AMPLITUDE if quantity is Quantity.AMPLITUDE else colours.THIN_PHASE
        return colours.spread(values, name, quantity.words, self.percentiles)

    def _own(self, quantity: Quantity, view: View, image: Float2D) -> Scale:
        fixed = view.phase_limits if quantity is Quantity.PHASE else (None, None)
        return colours.spread(image, colours.GREY, quantity.words, self.percentiles, fixed)

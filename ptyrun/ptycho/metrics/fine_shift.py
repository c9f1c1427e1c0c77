"""By which fraction of a pixel is one field moved against another? Followed on a part of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.across_lines import Lines
from ptyrun.ptycho.metrics.factors import Likeness, known_pixels, likeness, signed_agreement
from ptyrun.ptycho.metrics.masks import moved_mask
from ptyrun.ptycho.metrics.moving import Movable
from ptyrun.ptycho.metrics.nearing import Nearing
from ptyrun.ptycho.metrics.ramps import NO_RAMP, Ramp
from ptyrun.ptycho.metrics.registration import NO_SHIFT, Shift
from ptyrun.ptycho.metrics.shift_search import Candidate, length_px, rolled, snapped

FARTHEST_STEPS_PX = 8.0
MARGIN_PX = 32  # around a part that is cut out of more; it ends there without an edge
MUCH_LARGER = 3.0

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Effort:
    """When the search for a fine shift ends.

    Attributes
    ----------
    steps : int
        How many steps are made at most.
    done_px : float
        Below which step, in pixels, none is made any more.
    """

    steps: int
    done_px: float


NEARLY, FULLY = Effort(8, 0.01), Effort(12, 1e-4)
# Of images that have less in common, noise decides more than the last steps.
DOUBTFULLY = Effort(8, 2e-3)


@dataclass(frozen=True)
class Target:
    """A window of the image that another is laid on, and its derivatives.

    Attributes
    ----------
    truth, slope_y, slope_x : ndarray of complex64, shape (h, w)
        The window, and its derivatives per pixel.
    outer : Region
        The window with its margin, in pixels of the image.
    shape : (int, int)
        (H, W) of the image.
    continued_px : int
        How many pixels at each side of the image are its continuation.
    """

    truth: NDArray[np.complex64]
    slope_y: NDArray[np.complex64]
    slope_x: NDArray[np.complex64]
    window: Region
    outer: Region
    shape: tuple[int, ...]
    continued_px: int = 0

    @classmethod
    def of(cls, truth: Complex2D, window: Region, continued_px: int = 0) -> Self:
        """Cut a *window* out of an image (H, W); with a margin, derivatives have no edges.

        Of an image that is not much larger all is taken: then nothing is lost of what is moved.

        Parameters
        ----------
        truth : ndarray of complex, shape (H, W)
            The image.
        window : Region
            Which part of it.
        continued_px : int
            How many pixels at each side of the image are its continuation.
        """
        is_most = truth.size <= MUCH_LARGER * window.height * window.width
        outer = window.grown(max(truth.shape) if is_most else MARGIN_PX, *truth.shape)
        there = window.seen_from(outer).slices
        image = single(truth[outer.slices])
        movable = Movable.of(_faded(image, outer, truth.shape))
        return cls(
            image[there],
            movable.slope(0, there),
            movable.slope(1, there),
            window,
            outer,
            truth.shape,
            continued_px,
        )

    @cached_property
    def lines(self) -> Lines:
        """Which shifts the window tells apart."""
        return Lines.of(self.slope_y, self.slope_x)

    def inside(self, shift: Shift, border_px: int) -> tuple[slice, slice]:
        """Tell what of the window neither a border nor the other side of the image reaches.

        Parameters
        ----------
        shift : Shift
            By which the other image is moved, in pixels.
        border_px : int
            How many pixels along the edges do not count.

        Returns
        -------
        tuple of slice
            Rows and columns of the window.
        """
        ends = []
        for start, side, whole, move in (
            (self.window.top, self.window.height, self.shape[0], shift.dy_px),
            (self.window.left, self.window.width, self.shape[1], shift.dx_px),
        ):
            lost = self.continued_px + border_px + math.ceil(abs(move))
            ends.append(slice(max(0, lost - start), side - max(0, lost - (whole - start - side))))
        return ends[0], ends[1]


@dataclass(frozen=True)
class Part:
    """What of an image (H, W) lies around a target once it is moved by a *whole* shift.

    A ramp was taken off before: on what was moved it would not meet itself where the image wraps.

    Attributes
    ----------
    recon : ndarray of complex64, shape (h, w)
        The part.
    mask : ndarray of bool, shape (h, w)
        Where it is known.
    whole : Shift
        By which it was moved, in whole pixels.
    target : Target
        What it lies around.
    """

    target: Target
    recon: NDArray[np.complex64]
    mask: Mask
    whole: Shift

    @classmethod
    def of(cls, target: Target, recon: NDArray[np.complex64], mask: Mask, found: Candidate) -> Self:
        """Cut it out; what juts out at one side of the image is found at the other.

        Parameters
        ----------
        target : Target
            What the part is to lie around.
        recon : ndarray of complex64, shape (H, W)
            The image, as :func:`single` gives it.
        mask : ndarray of bool, shape (H, W)
            Where it is known.
        found : Candidate
            The whole shift, and the ramp that goes with it.
        """
        whole, outer = found.shift.whole, target.outer
        dy, dx = int(whole.dy_px), int(whole.dx_px)
        there = Region(outer.top - dy, outer.left - dx, outer.height, outer.width)
        flat = _without_on(found.ramp, rolled(recon, there), there, target.shape)
        image = _faded(flat, outer, target.shape)
        return cls(target, image, rolled(mask, there), whole)

    @cached_property
    def _movable(self) -> Movable:
        return Movable.of(self.recon)

    def refined(
        self, start: Candidate, border_px: int, effort: Effort, *, has_ramp: bool
    ) -> Candidate | None:
        """Follow the fields to the shift at which they agree best.

        Parameters
        ----------
        start : Candidate
            Where to begin.
        border_px : int
            How many pixels along the edges do not count.
        effort : Effort
            When to end.
        has_ramp : bool
            Whether a ramp is looked for as well.

        Returns
        -------
        Candidate, optional
            None if that is far away.
        """
        shift, rest = start.shift, NO_RAMP
        inside = self.target.inside(shift, border_px)
        known = self._known(shift, inside)
        if not known.any():
            return None
        target = self.target
        nearing = Nearing.of(
            target.truth[inside],
            target.slope_y[inside],
            target.slope_x[inside],
            known,
            has_ramp=has_ramp,
        )
        last = None
        for _ in range(effort.steps):
            found = nearing.step(rest.removed_from(self._moved(shift)[inside]))
            move = found if last is None else found.hastened(*last)
            last = (found, move)
            shift = shift + Shift(move.dy_px, move.dx_px)
            rest = rest + Ramp(move.ramp_y, move.ramp_x)
            if length_px(shift + start.shift.opposite) > FARTHEST_STEPS_PX:
                return None
            if max(found.longest_px, move.longest_px) < effort.done_px:
                break
        end = snapped(shift)
        return Candidate(end, start.ramp + rest, self._agreed(end, rest, border_px))

    def _agreed(self, shift: Shift, rest: Ramp, border_px: int) -> float:
        moved, truth, known = self._beside(shift, border_px)
        if not known.any():
            return 0.0
        return signed_agreement(
            known_pixels(rest.removed_from(moved), known), known_pixels(truth, known)
        )

    def agreement(self, found: Candidate, border_px: int) -> float:
        """How well the fields agree after a shift near the whole one.

        Parameters
        ----------
        found : Candidate
            Shift and ramp.
        border_px : int
            How many pixels along the edges do not count.

        Returns
        -------
        float
            In [-1, 1].
        """
        return self._agreed(found.shift, NO_RAMP, border_px)

    def likeness(self, found: Candidate, border_px: int) -> Likeness:
        """What the fields have in common after a shift, besides what a constant would have.

        Parameters
        ----------
        found : Candidate
            Shift and ramp.
        border_px : int
            How many pixels along the edges do not count.

        Returns
        -------
        Likeness
            Of known pixels.
        """
        moved, truth, known = self._beside(found.shift, border_px)
        flat = found.ramp.removed_from(np.ones_like(moved))
        return likeness(moved[known], truth[known], flat[known])

    def _beside(self, shift: Shift, border_px: int) -> tuple[Complex2D, Complex2D, Mask]:
        """Give both fields within the borders, the first moved, and where it is known."""
        inside = self.target.inside(shift, border_px)
        moved = self._moved(shift)[inside]
        return moved, self.target.truth[inside], self._known(shift, inside)

    def _known(self, shift: Shift, inside: tuple[slice, slice]) -> Mask:
        window = self.target.window.seen_from(self.target.outer).slices
        return moved_mask(self.mask, shift + self.whole.opposite)[window][inside]

    def _moved(self, shift: Shift) -> Complex2D:
        left = shift + self.whole.opposite
        window = self.target.window.seen_from(self.target.outer).slices
        return self.recon[window] if left == NO_SHIFT else self._movable.by(left, window)


def single(image: Complex2D) -> NDArray[np.complex64]:
    """Give an image in single precision, which has no room for what is very faint or very strong.

    Parameters
    ----------
    image : ndarray of complex, shape (H, W)
        In any unit.

    Returns
    -------
    ndarray of complex64, shape (H, W)
        With real and imaginary parts between -1 and 1.
    """
    parts = np.ascontiguousarray(image).view(image.real.dtype)  # real and imaginary in turns
    largest = float(np.abs(parts).max())
    return (parts / largest if largest > 0 else parts).astype(np.float32).view(np.complex64)


def _faded(
    image: NDArray[np.complex64], outer: Region, shape: tuple[int, ...]
) -> NDArray[np.complex64]:
    """Let a part end in its mean where the image goes on, so that its periods have no edges."""
    if image.shape == shape:
        return image
    mean = np.complex64(image.mean())
    fading = image - mean
    for axis, (start, side, whole) in enumerate(
        ((outer.top, outer.height, shape[0]), (outer.left, outer.width, shape[1]))
    ):
        edge = (1 - np.cos(np.pi * (np.arange(MARGIN_PX // 2) + 0.5) / (MARGIN_PX // 2))) / 2
        profile = np.ones(side, np.float32)
        if start > 0:
            profile[: len(edge)] = edge
        if start + side < whole:
            profile[side - len(edge) :] = edge[::-1]
        fading *= profile[:, None] if axis == 0 else profile[None, :]
    return np.asarray(fading + mean)


def _without_on(
    ramp: Ramp, image: NDArray[np.complex64], there: Region, shape: tuple[int, ...]
) -> NDArray[np.complex64]:
    """Take a ramp off that runs over an image of *shape*, of which this was cut out *there*."""
    if ramp == NO_RAMP:
        return image
    along_y, along_x = (
        np.exp(-1j * rad_per_px * ((start + np.arange(side)) % whole)).astype(np.complex64)
        for rad_per_px, start, side, whole in (
            (ramp.y_rad_per_px, there.top, there.height, shape[0]),
            (ramp.x_rad_per_px, there.left, there.width, shape[1]),
        )
    )
    flat = image * along_y[:, None]
    flat *= along_x[None, :]
    return np.asarray(flat)

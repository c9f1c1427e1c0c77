"""By which fraction of a pixel is one field moved against another? Followed on a part of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import binary_dilation

from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.factors import signed_agreement
from ptyrun.ptycho.metrics.ramps import NO_RAMP, Ramp
from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.ptycho.metrics.shift_search import Candidate, length_px, rolled

STEP_PX = 1.0
SNAP_PX = 0.01
FARTHEST_STEPS_PX = 4.0
MARGIN_PX = 32  # around a part that is cut out of more; it ends there without an edge
MUCH_LARGER = 3.0
FLOOR = 1e-9  # of the best determined direction; along stripes, nothing tells the shift
ROWS = 64  # summed at once: what is stacked meanwhile stays small

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Effort:
    """How many steps are made at most, and below which step none is made any more."""

    steps: int
    done_px: float


NEARLY, FULLY = Effort(6, 0.01), Effort(12, 1e-4)


@dataclass(frozen=True)
class Step:
    """What is left between two fields: a shift in pixels and a ramp in radians per pixel."""

    dy_px: float
    dx_px: float
    ramp_y: float
    ramp_x: float

    @property
    def longest_px(self) -> float:
        """The larger of both shifts."""
        return max(abs(self.dy_px), abs(self.dx_px))


@dataclass(frozen=True)
class Target:
    """A window (h, w) of the image that another is laid on, and its derivatives per pixel."""

    truth: NDArray[np.complex64]
    slope_y: NDArray[np.complex64]
    slope_x: NDArray[np.complex64]
    window: Region
    outer: Region
    shape: tuple[int, ...]

    @classmethod
    def of(cls, truth: Complex2D, window: Region) -> Self:
        """Cut a *window* out of an image (H, W); with a margin, derivatives have no edges.

        Of an image that is not much larger all is taken: then nothing is lost of what is moved.
        """
        is_most = truth.size <= MUCH_LARGER * window.height * window.width
        outer = window.grown(max(truth.shape) if is_most else MARGIN_PX, *truth.shape)
        there = window.seen_from(outer).slices
        image = _single(truth[outer.slices])
        spectrum = fft.fft2(_faded(image, outer, truth.shape))
        frequencies = [2j * np.pi * fft.fftfreq(side) for side in image.shape]
        for each in frequencies:
            if len(each) % 2 == 0:
                each[len(each) // 2] = 0  # of either sign
        along_y, along_x = (each.astype(np.complex64) for each in frequencies)
        return cls(
            image[there],
            fft.ifft2(spectrum * along_y[:, None])[there],
            fft.ifft2(spectrum * along_x[None, :])[there],
            window,
            outer,
            truth.shape,
        )

    def inside(self, shift: Shift, border_px: int) -> tuple[slice, slice]:
        """Tell what of the window neither a border nor the other side of the image reaches."""
        ends = []
        for start, side, whole, move in (
            (self.window.top, self.window.height, self.shape[0], shift.dy_px),
            (self.window.left, self.window.width, self.shape[1], shift.dx_px),
        ):
            lost = border_px + math.ceil(abs(move))
            ends.append(slice(max(0, lost - start), side - max(0, lost - (whole - start - side))))
        return ends[0], ends[1]


@dataclass(frozen=True)
class Part:
    """What of an image (H, W) lies around a target once it is moved by a *whole* shift.

    A ramp was taken off before: on what was moved it would not meet itself where the image wraps.
    """

    target: Target
    recon: NDArray[np.complex64]
    mask: Mask
    whole: Shift

    @classmethod
    def of(cls, target: Target, recon: Complex2D, mask: Mask, found: Candidate) -> Self:
        """Cut it out; what juts out at one side of the image is found at the other."""
        whole, outer = found.shift.whole, target.outer
        dy, dx = int(whole.dy_px), int(whole.dx_px)
        there = Region(outer.top - dy, outer.left - dx, outer.height, outer.width)
        flat = _without_on(found.ramp, rolled(recon, there), there, target.shape)
        image = _faded(_single(flat), outer, target.shape)
        return cls(target, image, rolled(mask, there), whole)

    def refined(
        self, start: Candidate, border_px: int, effort: Effort, *, has_ramp: bool
    ) -> Candidate | None:
        """Follow the fields to the shift at which they agree best; None if that is far away."""
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
        spectrum = np.asarray(fft.fft2(self.recon))
        for _ in range(effort.steps):
            moved = self._moved(spectrum, shift)[inside]
            found = nearing.step(_without(rest, moved))
            shift = shift + Shift(found.dy_px, found.dx_px)
            rest = rest + Ramp(found.ramp_y, found.ramp_x)
            if length_px(shift + start.shift.opposite) > FARTHEST_STEPS_PX:
                return None
            if found.longest_px < effort.done_px:
                break
        return Candidate(snapped(shift), start.ramp + rest, start.agreement)

    def agreement(self, found: Candidate, border_px: int) -> float:
        """How well the fields agree after a shift near the whole one."""
        inside = self.target.inside(found.shift, border_px)
        known = self._known(found.shift, inside)
        moved = self._moved(np.asarray(fft.fft2(self.recon)), found.shift)[inside]
        truth = self.target.truth[inside]
        return signed_agreement(moved[known], truth[known]) if known.any() else 0.0

    def _known(self, shift: Shift, inside: tuple[slice, slice]) -> Mask:
        window = self.target.window.seen_from(self.target.outer).slices
        return moved_mask(self.mask, shift + self.whole.opposite)[window][inside]

    def _moved(self, spectrum: NDArray[np.complex64], shift: Shift) -> NDArray[np.complex64]:
        left = shift + self.whole.opposite
        along_y, along_x = (
            np.exp(-2j * np.pi * move * fft.fftfreq(side)).astype(np.complex64)
            for move, side in zip((left.dy_px, left.dx_px), spectrum.shape, strict=True)
        )
        turned = spectrum * along_y[:, None]
        turned *= along_x[None, :]
        window = self.target.window.seen_from(self.target.outer).slices
        return np.asarray(fft.ifft2(turned, overwrite_x=True)[window])


def _single(image: Complex2D) -> NDArray[np.complex64]:
    """Single precision, which has no room for what is very faint or very strong."""
    largest = float(np.abs(image).max())
    return np.asarray(image / largest if largest > 0 else image, np.complex64)


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


def _without_on(ramp: Ramp, image: Complex2D, there: Region, shape: tuple[int, ...]) -> Complex2D:
    """Take a ramp off that runs over an image of *shape*, of which this was cut out *there*."""
    if ramp == NO_RAMP:
        return image
    along_y, along_x = (
        np.exp(-1j * rad_per_px * ((start + np.arange(side)) % whole))
        for rad_per_px, start, side, whole in (
            (ramp.y_rad_per_px, there.top, there.height, shape[0]),
            (ramp.x_rad_per_px, there.left, there.width, shape[1]),
        )
    )
    return np.asarray(image * along_y[:, None] * along_x[None, :])


def _without(ramp: Ramp, image: NDArray[np.complex64]) -> NDArray[np.complex64]:
    if ramp == NO_RAMP:
        return image
    return ramp.removed_from(image).astype(np.complex64)


@dataclass(frozen=True)
class Nearing:
    r"""Finds the small shift and ramp that bring an image nearer to another, by least squares.

    Notes
    -----
    A Gauss-Newton step of :math:`\sum |cR - O - \delta\cdot\nabla O - i(\rho\cdot x)O - d|^2` over
    known pixels, with complex c and d: shift and ramp are found together, for either looks like
    the other where an object is small. Lucas and Kanade, IJCAI 674 (1981); with the derivatives of
    the template, Baker and Matthews, Int. J. Comput. Vis. 56, 221 (2004),
    doi:10.1023/B:VISI.0000011205.11775.fd.
    """

    truth: NDArray[np.complex64]
    slope_y: NDArray[np.complex64]
    slope_x: NDArray[np.complex64]
    known: Mask
    has_ramp: bool
    products: NDArray[np.complex128]

    @classmethod
    def of(
        cls,
        truth: NDArray[np.complex64],
        slope_y: NDArray[np.complex64],
        slope_x: NDArray[np.complex64],
        known: Mask,
        *,
        has_ramp: bool,
    ) -> Self:
        """Take the image that stays and its derivatives, *known* pixels (h, w) of which count."""
        masked = (np.where(known, each, 0) for each in (truth, slope_y, slope_x))
        wanted, along_y, along_x = masked
        products = _products(wanted, along_y, along_x, known)
        return cls(wanted, along_y, along_x, known, has_ramp, products)

    def step(self, recon: NDArray[np.complex64]) -> Step:
        """What is left between *recon* (h, w) and the truth."""
        of_recon = self._with(recon)
        power = float(np.sum(np.abs(recon[self.known]) ** 2, dtype=np.float64))
        factor = of_recon[4] / power if power > 0 else 1.0 + 0j
        error_with = np.conj(factor) * of_recon - self.products[4]
        real = [0, 1, 2, 3] if self.has_ramp else [0, 1]
        rows = [(each, 1.0) for each in real] + [(4, 1.0), (4, 1j), (5, 1.0), (5, 1j)]
        normal = np.array(
            [[(np.conj(a) * b * self.products[i, j]).real for j, b in rows] for i, a in rows]
        )
        right = np.array([(a * error_with[i]).real for i, a in rows])
        scale = np.sqrt(np.diag(normal))
        known = scale > math.sqrt(FLOOR) * max(float(scale[:2].max()), 1e-30)
        found = np.zeros(len(rows))
        if known.any():
            own = scale[known]
            system = normal[np.ix_(known, known)] / np.outer(own, own)
            found[known] = np.linalg.lstsq(system, right[known] / own, rcond=FLOOR)[0] / own
        ramp = found[2:4] if self.has_ramp else np.zeros(2)
        return Step(
            float(np.clip(found[0], -STEP_PX, STEP_PX)),
            float(np.clip(found[1], -STEP_PX, STEP_PX)),
            float(ramp[0]),
            float(ramp[1]),
        )

    def _with(self, recon: NDArray[np.complex64]) -> NDArray[np.complex128]:
        """Sum R* v (6,) over what :func:`_products` has."""
        own = recon.conj()
        with_truth = own * self.truth
        y, x = (np.arange(side) - side / 2 for side in self.known.shape)
        rows = with_truth.sum(axis=1, dtype=np.complex128)
        columns = with_truth.sum(axis=0, dtype=np.complex128)
        return np.array(
            [
                (own * self.slope_y).sum(dtype=np.complex128),
                (own * self.slope_x).sum(dtype=np.complex128),
                1j * (y * rows).sum(),
                1j * (x * columns).sum(),
                rows.sum(),
                own.sum(where=self.known, dtype=np.complex128),
            ]
        )


def _products(
    truth: NDArray[np.complex64],
    slope_y: NDArray[np.complex64],
    slope_x: NDArray[np.complex64],
    known: Mask,
) -> NDArray[np.complex128]:
    """Sum u* v (6, 6) in double precision, some rows at a time.

    Of both slopes, i y O and i x O, O, and one; images are zero where they are not known.
    """
    height, width = known.shape
    x = np.arange(width) - width / 2
    total = np.zeros((6, 6), np.complex128)
    for first in range(0, height, ROWS):
        rows = slice(first, min(first + ROWS, height))
        y = np.arange(rows.start, rows.stop) - height / 2
        basis = np.empty((6, rows.stop - first, width), np.complex128)
        basis[0], basis[1], basis[4] = slope_y[rows], slope_x[rows], truth[rows]
        np.multiply(basis[4], 1j * y[:, None], out=basis[2])
        np.multiply(basis[4], 1j * x[None, :], out=basis[3])
        basis[5] = known[rows]
        flat = basis.reshape(6, -1)
        total += flat.conj() @ flat.T
    return total


def moved_mask(mask: Mask, shift: Shift) -> Mask:
    """Tell where a moved image (H, W) is known: where all neighbours were before the move."""
    if mask.all():
        return mask
    holes = np.roll(~mask, (round(shift.dy_px), round(shift.dx_px)), axis=(0, 1))
    return np.asarray(~holes if shift == shift.whole else ~binary_dilation(holes))


def snapped(shift: Shift) -> Shift:
    """A hundredth of a pixel is none: whole shifts keep every pixel as it is."""
    return Shift(
        *(
            float(round(move)) if abs(move - round(move)) < SNAP_PX else move
            for move in (shift.dy_px, shift.dx_px)
        )
    )

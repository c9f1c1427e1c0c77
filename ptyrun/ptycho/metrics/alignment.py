"""What differs between two complex images besides the object? Ramp, shift and one factor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import binary_dilation

from ptyrun.config import PhaseAlign
from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.placement import SMALLEST_PX, Region
from ptyrun.ptycho.metrics.ramps import NO_RAMP, Ramp, ramp_between
from ptyrun.ptycho.metrics.registration import NO_SHIFT, Shift, apply_shift
from ptyrun.ptycho.metrics.shift_search import (
    DONE_PX,
    STEPS,
    Candidate,
    Slopes,
    by_spectrum,
    candidates,
    distinct,
    length_px,
    rolled,
    snapped,
    step,
)

BORDER_PX = 2
LARGEST_LOOK_PX = 1024
ROUGH_PX = 256
REFINED = 2
WORTH_REFINING = 0.3
FARTHEST_STEPS_PX = 4.0
FILLINGS = 3
CLEARLY = 0.02
ROUNDING = 1e-6

# A larger shift is believed only if the fields then agree better still: of so many shifts, the best
# one brings unlike images, of which little is known, to 0.36.
SMALL_SHIFT_PX = 8.0
AGREEMENT_AFAR = 0.45
LARGEST_SHIFT = 0.25  # of what is covered along that side

Complex2D = NDArray[np.complexfloating[Any, Any]]
Real2D = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Aligned:
    """Two images (h, w) on one grid, and what was done to the first.

    ``registered`` is False where a shift was asked for and no believable one was found; ``others``
    are shifts after which the fields agree as well.
    """

    recon: NDArray[np.complex128]
    truth: Complex2D
    covered: Mask
    shift: Shift = NO_SHIFT
    ramp: Ramp = NO_RAMP
    factor: complex = 1.0 + 0.0j
    registered: bool = True
    others: tuple[Shift, ...] = ()

    @property
    def border_px(self) -> tuple[int, int]:
        """Rows and columns that are gone at each side."""
        return _border(self.shift)


def align(
    recon: Complex2D,
    truth: Complex2D,
    covered: Mask | None = None,
    *,
    region: Region | None = None,
    shift: bool = True,
    phase: PhaseAlign = PhaseAlign.PLANE,
) -> Aligned:
    """Undo what a reconstruction leaves free, iterated: ramp, shift, crop, ramp; then the factor.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (H, W)
    covered : ndarray of bool, shape (H, W), optional
        Where *recon* is known; everywhere when None.
    region : Region, optional
        What is compared; everything when None. The images are moved as wholes, so that what lies
        around the region keeps its edges from ringing.
    shift : bool
        Whether to register. Shifts are proposed by correlations of magnitudes and of ramp-free
        fields, plain and whitened, refined by least squares, and the one kept after which the
        fields agree best; of several that are alike, as of a periodic object, the nearest. What is
        moved by a fraction of a pixel has the truth in its holes, whose edges then leave no trace.
    phase : PhaseAlign
        PLANE undoes the phase ramp, MEAN the global phase alone.

    Returns
    -------
    Aligned
        Cropped by 2 px and by what the circular shift spoils.

    Raises
    ------
    GeometryError
        If the shapes differ, or nothing is left to compare.
    """
    mask = np.ones(recon.shape, bool) if covered is None else covered
    where = Region(0, 0, *truth.shape) if region is None else region
    known = int(mask[where.slices].sum())
    if recon.shape != truth.shape or min(where.height, where.width) < SMALLEST_PX or not known:
        raise GeometryError(
            "these images cannot be aligned",
            why=f"one is {recon.shape}, the other {truth.shape}, with {known} px covered in "
            f"{where.height} x {where.width}",
            do="compare a region of one grid that the reconstruction covers",
        )
    pair = _Pair.of(recon, truth, mask, where, ramps=phase is PhaseAlign.PLANE)
    state = pair.without_ramp(pair.moved(NO_RAMP, NO_SHIFT))
    if shift:
        state = pair.registered(state)
    inside = state.covered
    if not inside.any():
        raise GeometryError(
            "nothing is left to compare",
            why=f"of {known} covered px none lies {BORDER_PX} px or more inside the region",
            do="compare more groups",
        )
    factor = global_factor(state.recon[inside], state.truth[inside])
    return replace(state, recon=state.recon * factor, factor=factor)


def refitted(
    recon: Complex2D, truth: Complex2D, covered: Mask, phase: PhaseAlign
) -> NDArray[np.complex128]:
    """Take off a registered image (H, W) the ramp and factor that its *covered* pixels have."""
    flat = np.asarray(recon, np.complex128)
    if phase is PhaseAlign.PLANE:
        flat = ramp_between(flat, truth, covered).removed_from(flat)
    return flat * global_factor(flat[covered], truth[covered])


@dataclass(frozen=True)
class _Pair:
    """The images (H, W) as they came, and the moves that may be made with the first."""

    recon: NDArray[np.complex128]
    truth: Complex2D
    mask: Mask
    region: Region
    ramps: bool

    @classmethod
    def of(
        cls, recon: Complex2D, truth: Complex2D, mask: Mask, region: Region, *, ramps: bool
    ) -> _Pair:
        inside = region.slices
        # Holes would be seen as structure by registration and by the Fourier shift.
        middling = recon[inside][mask[inside]].mean()
        filled = np.where(mask, recon, middling).astype(np.complex128)
        return cls(filled, truth, mask, region, ramps)

    def moved(self, ramp: Ramp, shift: Shift) -> Aligned:
        flat = ramp.removed_from(self.recon)
        shifted = flat if shift == NO_SHIFT else apply_shift(flat, shift)
        inside = self.region.within(*_border(shift)).slices
        return Aligned(
            recon=shifted[inside],
            truth=self.truth[inside],
            covered=_moved_mask(self.mask, shift)[inside],
            shift=shift,
            ramp=ramp,
        )

    def without_ramp(self, state: Aligned) -> Aligned:
        if not self.ramps:
            return state
        rest = ramp_between(state.recon, state.truth, state.covered)
        return self.moved(state.ramp + rest, state.shift)

    def registered(self, state: Aligned) -> Aligned:
        """Move by what correlations propose, refined, where the fields agree best.

        Of shifts after which they agree alike, as those of a periodic object, the nearest is taken.
        """
        own = self.recon[self.region.slices][self.mask[self.region.slices]]
        if own.std() <= ROUNDING * np.abs(own).max():
            return state  # a constant lies anywhere
        look = self._window()
        flat = state.ramp.removed_from(self.recon)
        inside = look.slices
        proposed = candidates(flat[inside], self.truth[inside], self.mask[inside], LARGEST_SHIFT)
        shifts = dict.fromkeys([NO_SHIFT, *proposed])
        possible = [s for s in shifts if s == NO_SHIFT or self._leaves_enough(s)]
        rough = sorted(
            (self._roughly(shift, state.ramp, look) for shift in possible),
            key=lambda found: -found.agreement,
        )
        best_rough = rough[0].agreement
        near = [
            each
            for each in rough
            if each.agreement >= best_rough - WORTH_REFINING * max(0.1, 1 - best_rough)
        ]
        near.sort(key=lambda found: length_px(found.shift))
        chosen = list(dict.fromkeys([*rough[:REFINED], *near[:REFINED]]))
        slopes = Slopes.of(self.truth)
        refined = distinct([self._refined(each, slopes) for each in chosen])
        refined = [each for each in refined if self._leaves_enough(each.shift)] or chosen[:1]
        states = [self.moved(each.ramp, each.shift) for each in refined]
        scored = [(_agreement(each), each) for each in states]
        believable = [each for each in scored if _believable(each[1])] or [
            (_agreement(state), state)
        ]
        best = max(score for score, _ in believable)
        alike = [each for score, each in believable if score >= best - _alike(best)]
        nearest = min(alike, key=lambda each: length_px(each.shift))
        afar = [score for score, each in scored if not _believable(each)]
        lost = nearest.shift == NO_SHIFT and max(afar, default=0.0) > best + CLEARLY
        is_told = best >= AGREEMENT_AFAR
        others = tuple(each.shift for each in alike if each is not nearest) if is_told else ()
        found = self._with_whole_holes(self.without_ramp(nearest), slopes)
        return replace(found, registered=not lost, others=others)

    def _with_whole_holes(self, state: Aligned, slopes: Slopes) -> Aligned:
        """Move by a fraction of a pixel what has the truth in its holes.

        Whatever else is there, its edges are moved into what is measured.
        """
        for _ in range(FILLINGS):
            if self.mask.all() or state.shift == state.shift.whole:
                break
            known = state.covered
            factor = global_factor(state.recon[known], state.truth[known])
            back = Shift(-state.shift.dy_px, -state.shift.dx_px)
            flat = apply_shift(self.truth, back) / (factor or 1.0)
            promised = Ramp(-state.ramp.y_rad_per_px, -state.ramp.x_rad_per_px).removed_from(flat)
            pair = replace(self, recon=np.where(self.mask, self.recon, promised))
            found = pair._refined(Candidate(state.shift, state.ramp, 0.0), slopes)
            state = pair.without_ramp(pair.moved(found.ramp, found.shift))
        return state

    def _leaves_enough(self, shift: Shift) -> bool:
        """Whether a shift is a part of what is covered, and leaves something to compare."""
        known = self.mask[self.region.slices]
        extents = (int(known.any(axis=1).sum()), int(known.any(axis=0).sum()))
        sides = (self.region.height, self.region.width)
        moves = (abs(shift.dy_px), abs(shift.dx_px))
        return all(
            move <= max(LARGEST_SHIFT * extent, SMALL_SHIFT_PX)
            and side - 2 * (BORDER_PX + move) > SMALLEST_PX
            for move, extent, side in zip(moves, extents, sides, strict=True)
        )

    def _window(self) -> Region:
        """Where shifts are looked for: all of the region, or the middle of a large one."""
        if max(self.region.height, self.region.width) <= LARGEST_LOOK_PX:
            return self.region
        middle = self.region.centre(
            min(self.region.height, LARGEST_LOOK_PX), min(self.region.width, LARGEST_LOOK_PX)
        )
        return middle if self.mask[middle.slices].mean() > 0.5 else self.region

    def _roughly(self, shift: Shift, ramp: Ramp, look: Region) -> Candidate:
        """How well the fields agree after a shift by whole pixels, in the middle of the region."""
        middle = look.centre(min(look.height, ROUGH_PX), min(look.width, ROUGH_PX))
        if self.mask[middle.slices].mean() < 0.5:
            middle = look
        middle = middle.within(*_border(shift)) if middle == self.region else middle
        dy, dx = int(shift.dy_px), int(shift.dx_px)
        there = Region(middle.top - dy, middle.left - dx, middle.height, middle.width)
        own, mask = rolled(self.recon, there), rolled(self.mask, there)
        truth = self.truth[middle.slices]
        found = ramp_between(own, truth, mask) if self.ramps else NO_RAMP
        flat = found.removed_from(own)
        agreement = signed_agreement(flat[mask], truth[mask]) if mask.any() else 0.0
        return Candidate(shift, found if self.ramps else ramp, agreement)

    def _refined(self, start: Candidate, slopes: Slopes) -> Candidate:
        """Follow the fields to the shift at which they agree best, near that of *start*."""
        shift, ramp = start.shift, start.ramp
        spectrum = fft.fft2(ramp.removed_from(self.recon))
        look = self._window()
        inside = (look.within(*_border(shift)) if look == self.region else look).slices
        known = _moved_mask(self.mask, shift)[inside]
        wanted = (self.truth[inside], (slopes.y[inside], slopes.x[inside]), known)
        rest = NO_RAMP
        for _ in range(STEPS):
            flat = rest.removed_from(by_spectrum(spectrum, shift)[inside])
            found = step(flat, *wanted, has_ramp=self.ramps)
            shift = shift + Shift(found.dy_px, found.dx_px)
            rest = rest + Ramp(found.ramp_y, found.ramp_x)
            away = Shift(shift.dy_px - start.shift.dy_px, shift.dx_px - start.shift.dx_px)
            if length_px(away) > FARTHEST_STEPS_PX:
                return start
            if found.longest_px < DONE_PX:
                break
        return Candidate(snapped(shift), ramp + rest, start.agreement)


def _alike(best: float) -> float:
    return max(0.002, 0.05 * (1 - best))


def _agreement(state: Aligned) -> float:
    known = state.covered
    return signed_agreement(state.recon[known], state.truth[known]) if known.any() else 0.0


def signed_agreement(recon: Complex2D, truth: Complex2D) -> float:
    """Correlation of the fields without their means, after the factor that fits the whole fields.

    With its sign: half a period off, a grating has its contrast inverted.
    """
    fitted = global_factor(recon, truth) * recon
    own, wanted = fitted - fitted.mean(), truth - truth.mean()
    power = float(np.sum(np.abs(own) ** 2) * np.sum(np.abs(wanted) ** 2))
    return float(np.sum(own.conj() * wanted).real / np.sqrt(power)) if power > 0 else 0.0


def coherence(recon: Complex2D, truth: Complex2D) -> float:
    """Correlation of two fields without their means, in [0, 1]: 1 for one object, 0 for two.

    Blind to one global complex factor.
    """
    first, second = recon - recon.mean(), truth - truth.mean()
    power = float(np.sum(np.abs(first) ** 2) * np.sum(np.abs(second) ** 2))
    return float(np.abs(np.sum(first.conj() * second)) / np.sqrt(power)) if power > 0 else 0.0


def global_factor(recon: Complex2D, truth: Complex2D) -> complex:
    r"""Find the complex factor c that brings c R nearest to O: sum(R* O) / sum |R|^2."""
    power = float(np.sum(np.abs(recon) ** 2))
    return complex(np.sum(recon.conj() * truth) / power) if power > 0 else 1.0 + 0.0j


def amplitude_factor(recon: Real2D, truth: Real2D, covered: Mask | None = None) -> Any:
    """Find what brings the mean of amplitudes (H, W) to the truth's, over what is covered.

    The complex factor of :func:`global_factor` is smaller the worse phases are.
    """
    own, wanted = ((each if covered is None else each[covered]).mean() for each in (recon, truth))
    return wanted / own if own > 0 else 1.0


def _moved_mask(mask: Mask, shift: Shift) -> Mask:
    """Where a moved image is known: pixels whose neighbours before the move all were."""
    if mask.all():
        return mask
    holes = np.roll(~mask, (round(shift.dy_px), round(shift.dx_px)), axis=(0, 1))
    whole = shift.dy_px == round(shift.dy_px) and shift.dx_px == round(shift.dx_px)
    return ~holes if whole else ~binary_dilation(holes)


def _border(shift: Shift) -> tuple[int, int]:
    rows, columns = shift.border_px
    return rows + BORDER_PX, columns + BORDER_PX


def _believable(state: Aligned) -> bool:
    farthest = max(abs(state.shift.dy_px), abs(state.shift.dx_px))
    return farthest <= SMALL_SHIFT_PX or _agreement(state) >= AGREEMENT_AFAR

"""What differs between two complex images besides the object? Ramp, shift and one factor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.config import PhaseAlign
from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.placement import SMALLEST_PX, Region
from ptyrun.ptycho.metrics.across_lines import Lines, least_across
from ptyrun.ptycho.metrics.aligned import BORDER_PX, Aligned, border_px
from ptyrun.ptycho.metrics.continuation import continued, margin_px
from ptyrun.ptycho.metrics.factors import Likeness, global_factor, known_pixels, signed_agreement
from ptyrun.ptycho.metrics.fine_shift import (
    DOUBTFULLY,
    FULLY,
    NEARLY,
    Effort,
    Part,
    Target,
    single,
)
from ptyrun.ptycho.metrics.masks import moved_mask
from ptyrun.ptycho.metrics.moving import Movable
from ptyrun.ptycho.metrics.ramps import (
    NO_RAMP,
    Ramp,
    near_ramp_between,
    ramp_between,
    slight_ramp_between,
)
from ptyrun.ptycho.metrics.registration import NO_SHIFT, Shift
from ptyrun.ptycho.metrics.search_window import leaves_enough, middle_of, search_window
from ptyrun.ptycho.metrics.shift_search import (
    AGREEMENT_AFAR,
    LARGEST_SHIFT,
    ONE_BASIN_PX,
    Candidate,
    alike_within,
    believable,
    candidates,
    distinct,
    elsewhere,
    length_px,
    rolled,
)

RIM_PX = 8  # where an image goes on as its mirror image, it has a kink
REFINED = 2
WORTH_REFINING = 0.3
FILLINGS = 3
SETTLED_PX = 1e-3
CLEARLY = 0.02
FAINT = 0.1  # of the contrast of the other: what is left of a constant, and some noise
CERTAIN = 0.9  # a constant with a ramp agrees less
INVERTED = 0.2  # what an inverted image agrees better, its sign left out
ROUNDING = 1e-6

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


def align(
    recon: Complex2D,
    truth: Complex2D,
    covered: Mask | None = None,
    *,
    region: Region | None = None,
    shift: bool = True,
    phase: PhaseAlign = PhaseAlign.PLANE,
    fading: bool = False,
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
    fading : bool
        Whether both fade towards their edges, as probes do, which meet there without being
        continued.

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
    state = pair.nearest(shift=shift, fading=fading)
    inside = state.covered
    if not inside.any():
        raise GeometryError(
            "nothing is left to compare",
            why=f"of {known} covered px none lies {BORDER_PX} px or more inside the region",
            do="compare more groups",
        )
    factor = global_factor(state.recon[inside], state.truth[inside])
    return replace(state, recon=state.recon * factor, factor=factor)


@dataclass(frozen=True)
class _Pair:
    """The images (H, W) as they came, and the moves that may be made with the first."""

    recon: NDArray[np.complex128]
    truth: Complex2D
    mask: Mask
    region: Region
    ramps: bool
    has_holes: bool
    margin_px: int = 0

    @classmethod
    def of(
        cls, recon: Complex2D, truth: Complex2D, mask: Mask, region: Region, *, ramps: bool
    ) -> _Pair:
        inside = region.slices
        # Holes would be seen as structure by registration and by the Fourier shift.
        middling = recon[inside][mask[inside]].mean()
        filled = np.where(mask, recon, middling).astype(np.complex128)
        return cls(filled, truth, mask, region, ramps, has_holes=not mask.all())

    @cached_property
    def _single(self) -> NDArray[np.complex64]:
        return single(self.recon)

    def nearest(self, *, shift: bool, fading: bool) -> Aligned:
        """Move as well as may be; near an edge both as if the images were periodic and not."""
        state = self.without_ramp(self.moved(NO_RAMP, NO_SHIFT))
        found = self.registered(state) if shift else state
        wider = self if fading else self.continued()
        if not shift or wider is self or found.is_settled:
            return found
        other = wider.registered(wider.without_ramp(wider.moved(NO_RAMP, NO_SHIFT)))
        best, worse = sorted((found, other), key=lambda each: -each.agreement)
        is_apart = length_px(best.shift + worse.shift.opposite) > ONE_BASIN_PX
        is_other = is_apart and bool(best.others or worse.others)
        if is_other and worse.agreement >= best.agreement - alike_within(best.agreement):
            return min(best, worse, key=lambda each: length_px(each.shift))
        return best

    def continued(self) -> _Pair:
        """Let both go on where the region comes near an edge; what is there is not known."""
        margin = margin_px(self.region, self.truth.shape)
        if not margin:
            return self
        return replace(
            self,
            recon=continued(self.recon, margin),
            truth=continued(self.truth, margin),
            mask=np.pad(self.mask, margin),
            margin_px=margin,
            region=self.region.moved(margin),
        )

    def moved(self, ramp: Ramp, shift: Shift) -> Aligned:
        flat = ramp.removed_from(self.recon)
        inside = self.region.within(*border_px(shift)).slices
        if shift == shift.whole:
            moves = (int(shift.dy_px), int(shift.dx_px))
            own = (np.roll(flat, moves, axis=(0, 1)) if any(moves) else flat)[inside]
        else:
            own = np.asarray(Movable.of(flat).by(shift, inside), np.complex128)
        return Aligned(
            recon=own,
            truth=self.truth[inside],
            covered=moved_mask(self.mask, shift)[inside],
            shift=shift,
            ramp=ramp,
        )

    def without_ramp(self, state: Aligned) -> Aligned:
        if not self.ramps:
            return state
        between = ramp_between if state.ramp == NO_RAMP else slight_ramp_between
        rest = between(state.recon, state.truth, state.covered)
        return replace(state, recon=rest.removed_from(state.recon), ramp=state.ramp + rest)

    def registered(self, state: Aligned) -> Aligned:
        """Move by what correlations propose, refined, where the fields agree best.

        Of shifts after which they agree alike, as those of a periodic object, the nearest is taken.
        """
        own = self.recon[self.region.slices][self.mask[self.region.slices]]
        if own.std() <= ROUNDING * np.abs(own).max():
            return replace(state, is_featureless=True)  # a constant lies anywhere
        look = search_window(self.region, self.mask)
        inside = look.slices
        flat = state.ramp.removed_from(self._single[inside])
        proposed = candidates(flat, self.truth[inside], self.mask[inside], LARGEST_SHIFT)
        shifts = dict.fromkeys([NO_SHIFT, *proposed])
        possible = [s for s in shifts if s == NO_SHIFT or leaves_enough(s, self.region, self.mask)]
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
        target = Target.of(self.truth, look, self.margin_px)
        periods = target.lines.other_periods(rough, 2 * ONE_BASIN_PX)[:REFINED]
        chosen = distinct([*rough[:REFINED], *near[:REFINED], *periods], ONE_BASIN_PX)
        near_to = self._nearly(chosen, look)
        refined = distinct([self._refined(each, target, NEARLY) for each in near_to])
        refined = [each for each in refined if leaves_enough(each.shift, self.region, self.mask)]
        refined = refined or [replace(chosen[0], agreement=self._agreement(chosen[0], target))]
        scored = [(each.agreement, each) for each in refined]
        plausible = [(score, each) for score, each in scored if believable(score, each.shift)]
        if not plausible:
            still = Candidate(state.shift, state.ramp, 0.0)
            plausible = [(self._agreement(still, target), still)]
        best = max(score for score, _ in plausible)
        if self._agrees_inverted(state, best):
            return state
        alike = [each for score, each in plausible if score >= best - alike_within(best)]
        lines = self._lines(alike, target)
        nearest = min(alike, key=lambda each: (lines.tenths_px(each.shift), -each.agreement))
        if nearest.shift != NO_SHIFT or best < CERTAIN:
            told = self._told(nearest, refined, target)
            if told is None:
                return replace(state, is_featureless=True)
            nearest = told
        afar = [score for score, each in scored if not believable(score, each.shift)]
        lost = nearest.shift == NO_SHIFT and max(afar, default=0.0) > best + CLEARLY
        is_told = best >= AGREEMENT_AFAR
        others = tuple(each.shift for each in alike if each is not nearest) if is_told else ()
        effort = FULLY if best >= CERTAIN else DOUBTFULLY
        if nearest in refined and not (self.has_holes and nearest.shift != nearest.shift.whole):
            nearest = self._refined(nearest, target, effort)
        found = self._laid(nearest, target, effort)
        # Until holes have the truth in them, the agreement of some periods is less than it will be.
        doubted = [each for score, each in plausible if score >= best - CLEARLY]
        for each in lines.nearer(doubted, found.shift) if self.has_holes and is_told else ():
            other = self._laid(each, target, effort)
            others = tuple(shift for shift in others if shift != each.shift)
            less = found.agreement - other.agreement
            if lines.is_nearer(other.shift, found.shift) and less <= alike_within(found.agreement):
                found, others = other, (found.shift, *others)
                break
        if lines.part(found.shift) != found.shift:
            other, beside = (
                self._filled(self.moved(found.ramp, shift), Movable.of(self.truth))
                for shift in (lines.part(found.shift), lines.beside(found.shift))
            )
            if other.agreement >= least_across(found, beside, other.shift):
                found, others = other, (found.shift, *others) if is_told else ()
        others = elsewhere(others, found, lambda each: self._agreement(each, target))
        return replace(found, registered=not lost, others=others)

    def _lines(self, alike: list[Candidate], target: Target) -> Lines:
        """Which shifts the images tell apart: all, where a shift along lines costs agreement."""
        lines = target.lines
        apart = [(length_px(e.shift + lines.part(e.shift).opposite), e) for e in alike]
        _, along = max(apart, key=lambda each: each[0])
        across = replace(along, shift=lines.part(along.shift))
        alone = across == along or self._agreement(across, target) >= along.agreement - CLEARLY
        return lines if alone else Lines(None)

    def _told(
        self, nearest: Candidate, refined: list[Candidate], target: Target
    ) -> Candidate | None:
        """Of an image that is nearly constant, the shift that what little it has tells, if any.

        Else a constant is moved to where the other image runs as a ramp does.
        """
        if self._likeness(nearest, target).contrast >= FAINT:
            return nearest
        found = [(self._likeness(each, target).agreement, each) for each in refined]
        best, told = max(found, key=lambda each: each[0])
        return told if best >= AGREEMENT_AFAR else None

    def _agrees_inverted(self, state: Aligned, best: float) -> bool:
        """Whether it lies where it is, as a conjugated object: elsewhere the fields agree less.

        Then contrast is as strong there with the other sign, or magnitudes agree alone.
        """
        known = state.covered
        if not known.any():
            return False
        if -signed_agreement(state.recon[known], state.truth[known]) > best + INVERTED:
            return True
        magnitudes = (np.abs(each[known]) for each in (state.recon, state.truth))
        return best < AGREEMENT_AFAR and signed_agreement(*magnitudes) > best + INVERTED

    def _nearly(self, chosen: list[Candidate], look: Region) -> list[Candidate]:
        """Follow them in the middle of a large window first, where a step costs little."""
        middle = middle_of(look, self.mask)
        if middle == look:
            return chosen
        target = Target.of(self.truth, middle, self.margin_px)
        return distinct([self._refined(each, target, NEARLY) for each in chosen])

    def _laid(self, start: Candidate, target: Target, effort: Effort) -> Aligned:
        """Move it, and again while that changes anything, with the truth in its holes."""
        state = self.without_ramp(self.moved(start.ramp, start.shift))
        truth = None
        for _ in range(FILLINGS):
            if not self.has_holes or state.shift == state.shift.whole:
                break
            before, truth = state.shift, truth or Movable.of(self.truth)
            pair = self._with_whole_holes(state, truth)
            found = pair._refined(Candidate(before, state.ramp, 0.0), target, effort)
            state = pair.without_ramp(pair.moved(found.ramp, found.shift))
            if length_px(state.shift + before.opposite) < max(SETTLED_PX, effort.done_px):
                break
        return state

    def _filled(self, state: Aligned, truth: Movable) -> Aligned:
        """Move it once more, its holes filled."""
        is_whole = not self.has_holes or state.shift == state.shift.whole
        pair = self if is_whole else self._with_whole_holes(state, truth)
        return self.without_ramp(pair.moved(state.ramp, state.shift))

    def _with_whole_holes(self, state: Aligned, truth: Movable) -> _Pair:
        """Give it the truth in its holes, as it lies there.

        Whatever else is there, a move by a fraction of a pixel moves its edges into what is known.
        """
        known = state.covered
        factor = global_factor(state.recon[known], state.truth[known])
        flat = truth.by(state.shift.opposite)
        flat /= factor or 1.0
        promised = Ramp(-state.ramp.y_rad_per_px, -state.ramp.x_rad_per_px).removed_from(flat)
        return replace(self, recon=np.where(self.mask, self.recon, promised))

    def _roughly(self, shift: Shift, ramp: Ramp, look: Region) -> Candidate:
        """How well the fields agree after a shift by whole pixels, in the middle of the region."""
        middle = middle_of(look, self.mask)
        if middle == self.region:
            lost = [self.margin_px + side for side in border_px(shift)]
            middle = middle.overlap(Region(0, 0, *self.truth.shape).within(*lost))
        dy, dx = int(shift.dy_px), int(shift.dx_px)
        there = Region(middle.top - dy, middle.left - dx, middle.height, middle.width)
        own, mask = rolled(self._single, there), rolled(self.mask, there)
        truth = self.truth[middle.slices].astype(np.complex64)
        found = near_ramp_between(ramp, own, truth, mask) if self.ramps else NO_RAMP
        flat = found.removed_from(own)
        agreement = 0.0
        if mask.any():
            agreement = signed_agreement(known_pixels(flat, mask), known_pixels(truth, mask))
        return Candidate(shift, found if self.ramps else ramp, agreement)

    def _refined(self, start: Candidate, target: Target, effort: Effort) -> Candidate:
        """Follow the fields to the shift at which they agree best, near that of *start*."""
        part = Part.of(target, self._single, self.mask, start)
        border_px = self._border_px(target)
        found = part.refined(start, border_px, effort, has_ramp=self.ramps)
        return found or replace(start, agreement=part.agreement(start, border_px))

    def _agreement(self, found: Candidate, target: Target) -> float:
        part = Part.of(target, self._single, self.mask, found)
        return part.agreement(found, self._border_px(target))

    def _likeness(self, found: Candidate, target: Target) -> Likeness:
        part = Part.of(target, self._single, self.mask, found)
        return part.likeness(found, self._border_px(target))

    def _border_px(self, target: Target) -> int:
        if target.window != self.region:
            return 0
        rim_px = min(RIM_PX, min(target.window.height, target.window.width) // 8)
        return max(rim_px if self.margin_px else 0, BORDER_PX)

"""What have two arms in common?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.frame_remarks import APART
from ptyrun.comparison.kept import Finding
from ptyrun.comparison.kept_standard import finding_of, standard_of
from ptyrun.comparison.sums import ArmObject
from ptyrun.comparison.undone import APART_PX, Undone
from ptyrun.config import Alignment, EvaluationOptions
from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics import evaluation
from ptyrun.ptycho.metrics.alignment import CERTAIN, align
from ptyrun.ptycho.metrics.common_ground import CommonGround
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.ptycho.metrics.phase_pair import FEWEST_PX
from ptyrun.ptycho.metrics.ramps import NO_RAMP, Ramp
from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.ptycho.metrics.shift_search import AGREEMENT_AFAR
from ptyrun.ptycho.metrics.standard_metrics import Standard, nothing
from ptyrun.results import Metric

MOVED_TOGETHER = "the first arm was registered to the second: "
BY_UPSTREAM = "--alignment upstream measures arms without their places on the grid"
FEW = "all arms have less than a quarter of the region in common"
DOUBTED = (
    "they agree better so, and with what both are measured against the contrast of one correlates "
    "by"
)

# A conjugate may agree with the other to a large part, somewhere; one of a real object always does.
MUCH, BETTER = 0.8, 0.1
CONJUGATED = (
    "one of the two is conjugated, so that amplitude and phase are against each other in the "
    "correlation of the fields: with the second conjugated the contrasts correlate by"
)

Image = NDArray[np.complex64]


class Laid(Protocol):
    """An arm on the common ground: its figures there, and its image (h, w)."""

    @property
    def standard(self) -> Standard:
        """Against the reference."""

    @property
    def recon(self) -> Image:
        """As it was measured."""


@dataclass(frozen=True)
class PairMeasures:
    """Two arms against each other, the first moved by *shift* if it was registered."""

    standard: Standard
    shift: Shift | None = None
    ramp: Ramp = NO_RAMP

    def apart(self, patch_px: int) -> str | None:
        """Say so where they lie apart, or where one has a phase ramp that the other has not."""
        undone = Undone.of(1.0, self.shift, self.ramp, patch_px, APART_PX)
        return None if undone is None else f"{APART} (the first onto the second: {undone.done})"

    def finding(self) -> Finding:
        """As it is kept for later windows."""
        found = finding_of(self.standard, {})
        shift = None if self.shift is None else asdict(self.shift)
        return replace(found, facts={**found.facts, "shift": shift, "ramp": asdict(self.ramp)})

    @classmethod
    def from_finding(cls, found: Finding) -> Self:
        """Read back what :meth:`finding` gave."""
        shift = found.facts["shift"]
        return cls(
            standard_of(found),
            None if shift is None else Shift(**shift),
            Ramp(**found.facts["ramp"]),
        )

    def noted(self, note: str) -> Self:
        """Say one thing more, first."""
        return replace(self, standard=replace(self.standard, notes=(note, *self.standard.notes)))


@dataclass(frozen=True)
class Pairing:
    """All arms, of which each two are compared.

    Attributes
    ----------
    objects : mapping of str to ArmObject
        By the arms' names.
    ground : CommonGround, optional
        What all arms cover, where they are measured against anything.
    laid : mapping of str to Laid
        The arms as they lie on that ground.
    region : Region
        What is looked at of the object where there is no such ground.
    options : EvaluationOptions
    moved : set of str
        Names of the arms that are registered.
    has_reference : bool
        Whether arms are measured against anything.
    conjugated : set of str
        Names of the arms that agree better with it when they are conjugated.
    """

    objects: Mapping[str, ArmObject]
    ground: CommonGround | None
    laid: Mapping[str, Laid]
    region: Region
    options: EvaluationOptions
    moved: Set[str]
    has_reference: bool
    conjugated: Set[str] = frozenset()

    def measured(self, first: str, second: str) -> PairMeasures:
        """Compare two arms as they lie on the common ground, where that is known; else registered.

        What both are measured against may be wrong: an arm that was moved onto it, and hardly
        agrees with it there, is moved onto the other arm where the two then agree better. Of two
        without much in common it is said whether one is the conjugate of the other.
        """
        found = self._measured(first, second)
        value = found.standard.metrics.get("contrast_correlation", Metric()).value
        if value is None or not value < MUCH:
            return found
        conjugated = self._agreement_conjugated(first, second)
        if conjugated < max(value + BETTER, AGREEMENT_AFAR):
            return found
        return found.noted(f"{CONJUGATED} {conjugated:.2f}, and as they are by {value:.2f}")

    def _agreement_conjugated(self, first: str, second: str) -> float:
        """How well the first agrees with the conjugate of the second, as they lie or registered."""
        found = -1.0
        if self.ground is not None and self._why_not_on_the_ground is None:
            one, other = (self.laid[name].recon for name in (first, second))
            found = self.ground.agreement(one, other.conj(), self.options.phase_align)
        if found >= CERTAIN or self._is_told_by_the_reference(first, second):
            return found
        image, conjugate = self.objects[first].image, self.objects[second].image.conj()
        is_moved = not self.moved.isdisjoint((first, second))
        covered = self._covered(first, second)
        try:
            lying = align(image, conjugate, covered, region=self.region, shift=is_moved)
        except GeometryError:
            return found
        return max(found, lying.agreement)

    def _is_told_by_the_reference(self, first: str, second: str) -> bool:
        """Whether one of two is like the reference, and the other's conjugate is not."""
        if not self.conjugated.isdisjoint((first, second)):
            return False
        known = [self.laid[name] for name in (first, second) if name in self.laid]
        return any(_agreement(each.standard) >= CERTAIN for each in known)

    def _measured(self, first: str, second: str) -> PairMeasures:
        why, lying = self._why_not_on_the_ground, None
        if self.ground is not None and why is None:
            one, other = (self.laid[name].recon for name in (first, second))
            lying = self.ground.between(one, other, self.options.phase_align)
            least = self._least_agreement(first, second)
            if least >= CERTAIN:
                return PairMeasures(lying)
            why = f"{DOUBTED} {round(least, 2) + 0.0:.2f} only"
        is_moved = not self.moved.isdisjoint((first, second))
        found = self._apart(first, second, is_moved=is_moved)
        if lying is not None and _agreement(lying) >= _agreement(found.standard):
            return PairMeasures(lying)
        if why is not None and is_moved:
            found = found.noted(MOVED_TOGETHER + why)
        if not is_moved:
            found = found.noted(self.options.registration.why_not)
        return found

    @property
    def _why_not_on_the_ground(self) -> str | None:
        """What stands against the common ground, where there is a reference."""
        if not self.has_reference:
            return None
        if self.options.alignment is Alignment.UPSTREAM:
            return BY_UPSTREAM
        if self.ground is None or self.ground.n_px < self.region.height * self.region.width / 4:
            return FEW
        return None

    def _least_agreement(self, *names: str) -> float:
        """How well those of two arms that were moved agree with what they were moved onto."""
        found = [_agreement(self.laid[name].standard) for name in names if name in self.moved]
        return min(found, default=1.0)

    def _covered(self, first: str, second: str) -> NDArray[np.bool_]:
        """Where all arms lie, or else where these two do."""
        inside = self.region.slices
        known = {name: arm.coverage > 0 for name, arm in self.objects.items()}
        covered = np.logical_and.reduce(list(known.values()))
        if covered[inside].sum() < covered[inside].size / 4:
            covered = known[first] & known[second]
        return np.asarray(covered)

    def _apart(self, first: str, second: str, *, is_moved: bool) -> PairMeasures:
        """The first against the second, registered if that is to be."""
        covered = self._covered(first, second)
        n_px = int(covered[self.region.slices].sum())
        if n_px < FEWEST_PX:
            few = f"nothing to compare: only {n_px} px are covered, of {FEWEST_PX} at least"
            return PairMeasures(nothing(few, Noise.BOTH))
        one, other = (self.objects[name].image for name in (first, second))
        try:
            found = evaluation.mutual(one, other, covered, region=self.region, registered=is_moved)
        except GeometryError as error:
            return PairMeasures(nothing(f"nothing to compare: {error.why}", Noise.BOTH))
        return PairMeasures(found.standard, found.shift, found.ramp)


def _agreement(found: Standard) -> float:
    """How well two images agree; 0 where that is not known."""
    value = found.metrics.get("contrast_correlation", Metric()).value
    return 0.0 if value is None or math.isnan(value) else value

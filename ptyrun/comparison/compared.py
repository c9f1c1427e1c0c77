"""What does a comparison amount to, once every arm is assembled and measured?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ptyrun.comparison import lines, ring_curves
from ptyrun.comparison.certainty import Certainty
from ptyrun.comparison.common_measures import CommonMeasures, Together
from ptyrun.comparison.frame_figures import (
    FRAME_SOURCES,
    NO_PROBE,
    R_FACTOR,
    Held,
    why_unexplained,
)
from ptyrun.comparison.frame_remarks import NOT_CHECKED, NOTHING_IN_COMMON
from ptyrun.comparison.measures import Measures
from ptyrun.comparison.objects import Raster
from ptyrun.comparison.pair_measures import PairMeasures
from ptyrun.comparison.ring_curves import RingCurve
from ptyrun.comparison.sources import Sources
from ptyrun.comparison.sums import ArmObject
from ptyrun.config import EvaluationOptions, Presentation
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics import evaluation
from ptyrun.ptycho.metrics.standard_metrics import SOURCES
from ptyrun.ptycho.readers.opening import Scan
from ptyrun.resolutions import bounds
from ptyrun.results import (
    OF_HALVES,
    ArmResult,
    CommonRegion,
    Metric,
    OwnRegion,
    PairResult,
    Results,
)


@dataclass(frozen=True)
class Compared:
    """Everything that is known once all objects are assembled."""

    manifest: Manifest
    scan: Scan
    region: Region
    arms: Mapping[str, ArmObject]
    evaluations: Mapping[str, Measures]
    together: Together
    frames: Held
    certainty: Certainty
    doubts: tuple[str, ...]
    options: EvaluationOptions

    def results(self) -> Results:
        """The content of ``results.json``."""
        dark = Sources.of(self.manifest).dark
        doubts = (*self.scan.doubts, *filter(None, [dark]), *self.doubts)
        if self.evaluations and self.together.ground is None:
            doubts += (NOTHING_IN_COMMON,)
        doubts += tuple(filter(None, [self.unchecked]))
        shown = Presentation.from_facts(self.manifest.sources)
        no_line = lines.why_none(shown, self.together, is_measured=bool(self.evaluations))
        return Results(
            manifest_digest=self.manifest.digest,
            has_ground_truth=self.scan.has_ground_truth,
            has_reference=self.scan.has_reference,
            evaluated_region_px=self.region.as_tuple(),
            arms={plan.name: self._arm(plan) for plan in self.manifest.arms},
            common=self._common(),
            pairs=tuple(
                PairResult(
                    first,
                    second,
                    found.standard.metrics,
                    (*filter(None, [self._apart(found)]), *found.standard.notes),
                    found.standard.noise,
                    found.standard.undefined,
                    bounds(found.standard.metrics),
                )
                for (first, second), found in self.together.pairs.items()
            ),
            truth=self.frames.truth.metrics if self.frames.truth else {},
            pixel_size_m=self.pixel_size_m,
            energy_ev=self.scan.energy_ev,
            counts_per_frame=self.frames.counts_per_frame,
            counting_noise=self.frames.counting_noise,
            line=lines.line_result(shown, self.together),
            resampling=self.certainty.resampling,
            differences=self.certainty.differences,
            sources={**SOURCES, **FRAME_SOURCES},
            notes=(*self.scan.notes, *doubts, *filter(None, [no_line])),
            doubts=doubts,
        )

    @property
    def unchecked(self) -> str | None:
        """Which arms nothing was held against that tells whether they belong to the scan."""
        if self.scan.object_guess is not None:
            return None
        labels = [
            plan.label
            for plan in self.manifest.arms
            if self.frames.arms[plan.name].why_none == NO_PROBE
        ]
        if not labels:
            return None
        return (
            f"{NOT_CHECKED}{', '.join(labels)} belong to this scan: there is no probe in "
            "the scan or in the reconstructions; a scan with probeGuess is checked"
        )

    @property
    def pixel_size_m(self) -> float | None:
        """Side of an object pixel: as it was said, or as the scan's file says."""
        said = Presentation.from_facts(self.manifest.sources).pixel_size_m
        return said or self.scan.pixel_size_m

    def _apart(self, found: PairMeasures) -> str | None:
        """Where nothing says which place is right: that two arms lie apart."""
        return None if self.evaluations else found.apart(self.scan.patch_px)

    def _half_periods(self, standard: Mapping[str, Metric]) -> dict[str, Metric]:
        """Resolutions as lengths: of half a period in nm, or in pixels."""
        unit = 1e9 * self.pixel_size_m if self.pixel_size_m else 1.0

        def length(fraction: float | None) -> float | None:
            return unit / fraction if fraction is not None and fraction > 0 else None

        return {
            name: Metric(length(found.amplitude), length(found.phase), length(found.value))
            for name, found in standard.items()
            if name.startswith("frc")
        }

    def _common(self) -> CommonRegion | None:
        ground = self.together.ground
        if ground is None:
            return None
        return CommonRegion(ground.region.as_tuple(), int(ground.covered.sum()), ground.n_scales)

    def _arm(self, plan: ArmPlan) -> ArmResult:
        arm, frames = self.arms[plan.name], self.frames.arms[plan.name]
        found = self.evaluations.get(plan.name)
        together = self.together.arms.get(plan.name)
        metrics: dict[str, Metric] = {}
        if found is not None:
            metrics = evaluation.with_offsets(found.metrics, found.shift)
        if arm.computation_time_s is not None:
            metrics["computation_time_s"] = Metric(value=arm.computation_time_s)
        return ArmResult(
            label=plan.label,
            kind=plan.kind,
            n_groups=arm.n_groups,
            metrics=metrics,
            standard={**(together.standard.metrics if together else {}), **frames.metrics},
            diagnostics=arm.figures.numbers(),
            mismatch=arm.mismatch,
            notes=(
                *arm.notes,
                *_notes(found, together),
                *frames.notes,
                *self._unexplained(arm, frames.metrics),
            ),
            computation_time_s=arm.computation_time_s,
            own=None if found is None else _own(found),
            frc_thresholds=found.noise if found else OF_HALVES,
            undefined={**(together.standard.undefined if together else {}), **frames.undefined},
            frames=frames.figures,
            halves=None if arm.halves is None else arm.halves.result,
            half_period=self._half_periods(together.standard.metrics if together else {}),
            intervals=self.certainty.intervals.get(plan.name, {}),
            at_least=bounds(together.standard.metrics) if together else (),
        )

    def _unexplained(self, arm: ArmObject, figures: Mapping[str, Metric]) -> tuple[str, ...]:
        held = {f"the {self.scan.object_role}": self.frames.truth} if self.frames.truth else {}
        held |= {plan.label: self.frames.arms[plan.name] for plan in self.manifest.arms}
        found = {whose: each.metrics[R_FACTOR].value for whose, each in held.items()}
        others = {whose: value for whose, value in found.items() if value is not None}
        own = figures.get(R_FACTOR, Metric()).value
        note = None if arm.mismatch else why_unexplained(own, others)
        return () if note is None else (note,)

    def rasters(self) -> dict[str, Raster]:
        """The images of ``objects.zarr``, by path."""
        rasters: dict[str, Raster] = {}
        for name, arm in self.arms.items():
            rasters[f"{name}/object"] = Raster(arm.image)
            rasters[f"{name}/coverage"] = Raster(arm.coverage)
        for name, found in self.evaluations.items():
            measured = {
                "aligned": found.recon,
                "aligned_truth": found.truth,
                "aligned_covered": found.covered,
            }
            for image, values in measured.items():
                top, left = found.region.top, found.region.left
                axes = ("aligned_y", "aligned_x")
                rasters[f"{name}/{image}"] = Raster(values, top, left, axes)
        rasters |= _common_rasters(self.together)
        if self.scan.object_guess is not None:
            rasters["ground_truth/object"] = Raster(self.scan.object_guess)
        if self.scan.probe is not None:
            rasters["ground_truth/probe"] = Raster(self.scan.probe, axes=("probe_y", "probe_x"))
        return rasters

    def ring_curves(self) -> Iterator[RingCurve]:
        """Ring correlations of each arm, and of each pair of arms."""
        for name, found in self.together.arms.items():
            against = ring_curves.REFERENCE
            yield from ring_curves.curves_of(name, against, found.standard.curves)
        for (first, second), pair in self.together.pairs.items():
            yield from ring_curves.curves_of(first, second, pair.standard.curves)
        for name, arm in self.arms.items():
            if arm.halves is not None and arm.halves.found.curves is not None:
                yield from ring_curves.curves_of(name, ring_curves.HALVES, arm.halves.found.curves)


def _own(found: Measures) -> OwnRegion:
    return OwnRegion(
        covered_share=float(found.covered.mean()),
        region_px=found.region.as_tuple(),
        standard=found.standard,
        undefined=found.undefined,
        notes=found.notes,
        at_least=bounds(found.standard),
    )


def _notes(found: Measures | None, together: CommonMeasures | None) -> tuple[str, ...]:
    if found is None or together is None:
        return found.notes if found else ()
    return (*found.registration_notes, *together.standard.notes)


def _common_rasters(together: Together) -> dict[str, Raster]:
    """Every arm, and what it was measured against, on the pixels that all arms cover."""
    ground = together.ground
    if ground is None:
        return {}
    top, left, axes = ground.region.top, ground.region.left, ("common_y", "common_x")
    rasters = {
        f"{name}/common": Raster(found.recon, top, left, axes)
        for name, found in together.arms.items()
    }
    truth = next(found.truth for found in together.arms.values())
    rasters["ground_truth/common"] = Raster(truth, top, left, axes)
    rasters["ground_truth/common_covered"] = Raster(ground.covered, top, left, axes)
    return rasters

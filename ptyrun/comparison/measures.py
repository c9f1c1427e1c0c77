"""What was measured of one arm, in a form that a later window can take over?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import ring_curves
from ptyrun.comparison.kept import Finding
from ptyrun.comparison.kept_tiles import tiles_of, with_tiles
from ptyrun.comparison.sums import ArmObject
from ptyrun.config import Alignment, EvaluationOptions
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.evaluation import Evaluation, evaluate, evaluate_upstream
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.ptycho.metrics.ramps import Ramp
from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.ptycho.metrics.standard_metrics import Curves, Standard
from ptyrun.ptycho.metrics.tiles import Tiles
from ptyrun.results import Metric

Image = NDArray[np.complex64]


@dataclass(frozen=True)
class Measures:
    """What `ptyrun.ptycho.metrics.evaluation.Evaluation` says of an arm on its own pixels."""

    metrics: Mapping[str, Metric]
    standard: Mapping[str, Metric]
    shift: Shift | None
    ramp: Ramp
    amplitude_frc: NDArray[np.float64]
    phase_frc: NDArray[np.float64]
    curves: Curves
    recon: Image
    truth: Image
    covered: NDArray[np.bool_]
    region: Region
    notes: tuple[str, ...]
    registration_notes: tuple[str, ...]
    noise: Noise
    undefined: Mapping[str, str]
    tiles: Tiles | None
    pair: tuple[Image, Image]

    @classmethod
    def of(cls, found: Evaluation) -> Self:
        """Take over what is written into the results."""
        return cls(**{entry.name: getattr(found, entry.name) for entry in fields(cls)})

    def finding(self) -> Finding:
        """As it is kept for later windows."""
        facts = {
            "metrics": {name: asdict(metric) for name, metric in self.metrics.items()},
            "standard": {name: asdict(metric) for name, metric in self.standard.items()},
            "shift": None if self.shift is None else asdict(self.shift),
            "ramp": asdict(self.ramp),
            "region": self.region.as_tuple(),
            "notes": self.notes,
            "registration_notes": self.registration_notes,
            "noise": self.noise.value,
            "undefined": dict(self.undefined),
        }
        arrays: dict[str, NDArray[Any]] = {
            "amplitude_frc": self.amplitude_frc,
            "phase_frc": self.phase_frc,
            "recon": self.recon,
            "truth": self.truth,
            "covered": self.covered,
            **ring_curves.arrays_of(self.curves),
        }
        if self.pair[0] is not self.recon:
            arrays["pair_recon"], arrays["pair_truth"] = self.pair
        return with_tiles(Finding(facts, arrays), self.tiles)

    @classmethod
    def from_finding(cls, found: Finding) -> Self:
        """Read back what :meth:`finding` gave."""
        facts, arrays = found.facts, found.arrays
        recon, truth = arrays["recon"], arrays["truth"]
        return cls(
            metrics={name: Metric(**metric) for name, metric in facts["metrics"].items()},
            standard={name: Metric(**metric) for name, metric in facts["standard"].items()},
            shift=None if facts["shift"] is None else Shift(**facts["shift"]),
            ramp=Ramp(**facts["ramp"]),
            amplitude_frc=arrays["amplitude_frc"],
            phase_frc=arrays["phase_frc"],
            curves=ring_curves.from_arrays(arrays),
            recon=recon,
            truth=truth,
            covered=arrays["covered"],
            region=Region(*facts["region"]),
            notes=tuple(facts["notes"]),
            registration_notes=tuple(facts["registration_notes"]),
            noise=Noise(facts["noise"]),
            undefined=dict(facts["undefined"]),
            tiles=tiles_of(found),
            pair=(arrays.get("pair_recon", recon), arrays.get("pair_truth", truth)),
        )

    @property
    def as_standard(self) -> Standard:
        """The literature's measures alone."""
        notes = tuple(note for note in self.notes if note not in self.registration_notes)
        return Standard(self.standard, self.curves, notes, self.noise, self.undefined, self.tiles)


def measure(
    plan: ArmPlan,
    arm: ArmObject,
    truth: Image,
    region: Region,
    options: EvaluationOptions,
    noise: Noise,
) -> Measures:
    """Measure an arm's object against the ground truth, or a reference that is noisy as well."""
    registered = options.registration.reaches(plan.kind)
    settings: dict[str, Any] = {"registered": registered, "noise": noise}
    if options.alignment is Alignment.UPSTREAM:
        found = evaluate_upstream(arm.canvas, truth, region, options, **settings)
    else:
        found = evaluate(arm.image, truth, arm.coverage, options, region=region, **settings)
    measured = Measures.of(found)
    if registered:
        return measured
    said = options.registration.why_not
    return replace(
        measured,
        notes=(said, *measured.notes),
        registration_notes=(said, *measured.registration_notes),
    )

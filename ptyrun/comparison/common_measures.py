"""What is measured of several arms on the pixels that all of them cover, and of pairs of arms?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import ring_curves
from ptyrun.comparison.kept import Finding
from ptyrun.comparison.kept_tiles import tiles_of, with_tiles
from ptyrun.comparison.measures import Measures
from ptyrun.comparison.steps import Steps
from ptyrun.comparison.sums import ArmObject
from ptyrun.config import EvaluationOptions
from ptyrun.errors import GeometryError
from ptyrun.host.documents import digest_of
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics import evaluation
from ptyrun.ptycho.metrics.common_ground import CommonGround
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.ptycho.metrics.phase_pair import FEWEST_PX
from ptyrun.ptycho.metrics.standard_metrics import Standard, nothing
from ptyrun.results import Metric, Results

Image = NDArray[np.complex64]


@dataclass(frozen=True)
class CommonMeasures:
    """One arm on the common ground: its figures, and the pair of images (h, w) behind them."""

    standard: Standard
    recon: Image
    truth: Image

    def finding(self) -> Finding:
        """As it is kept for later windows."""
        facts, arrays = _kept(self.standard)
        images = {"recon": self.recon, "truth": self.truth}
        return with_tiles(Finding(facts, {**arrays, **images}), self.standard.tiles)

    @classmethod
    def from_finding(cls, found: Finding) -> Self:
        """Read back what :meth:`finding` gave."""
        return cls(_standard(found), found.arrays["recon"], found.arrays["truth"])


@dataclass(frozen=True)
class PairMeasures:
    """Two arms against each other."""

    standard: Standard

    def finding(self) -> Finding:
        """As it is kept for later windows."""
        return with_tiles(Finding(*_kept(self.standard)), self.standard.tiles)

    @classmethod
    def from_finding(cls, found: Finding) -> Self:
        """Read back what :meth:`finding` gave."""
        return cls(_standard(found))


@dataclass(frozen=True)
class Together:
    """Everything that is found by looking at several arms at once; *ground* None if there is none.

    ``arms`` is empty without a common ground; ``pairs`` go by the names of both arms.
    """

    ground: CommonGround | None
    arms: Mapping[str, CommonMeasures]
    pairs: Mapping[tuple[str, str], PairMeasures]


def measure_together(
    steps: Steps,
    key: str,
    objects: Mapping[str, ArmObject],
    measured: Mapping[str, Measures],
    region: Region,
    options: EvaluationOptions,
) -> Together:
    """Measure all arms on the pixels that all of them cover, and each pair of them.

    Parameters
    ----------
    steps : Steps
        Keeps what is found of each arm and pair.
    key : str
        Digest of all that objects and measures depend on.
    objects, measured : mapping
        By the arms' names; *measured* is empty where there is nothing to measure against.
    region : Region
        Of the object, for pairs.
    options : EvaluationOptions
    """
    key = digest_of([key, Results.SCHEMA])
    ground = CommonGround.of(list(measured.values()))
    arms: dict[str, CommonMeasures] = {}
    if ground is not None:
        for name, own in measured.items():
            arms[name] = steps.taken(
                f"compare {name}",
                key,
                CommonMeasures.from_finding,
                partial(_on_common_ground, ground, own, options),
            )
    pairs = {
        (first, second): steps.taken(
            f"compare {first} with {second}",
            key,
            PairMeasures.from_finding,
            partial(_against, objects, region, first, second),
        )
        for first, second in combinations(objects, 2)
    }
    return Together(ground, arms, pairs)


def _on_common_ground(
    ground: CommonGround, own: Measures, options: EvaluationOptions
) -> CommonMeasures:
    if ground.is_all_of(own):
        return CommonMeasures(own.as_standard, own.recon, own.truth)
    recon, truth = ground.cut(own, options.phase_align)
    return CommonMeasures(ground.measured(recon, truth, own.noise), recon, truth)


def _against(
    objects: Mapping[str, ArmObject], region: Region, first: str, second: str
) -> PairMeasures:
    """The first registered onto the second, where all arms lie, or else where these two do.

    Not by way of what both are measured against: that may be wrong, and each pair is not.
    """
    inside = region.slices
    known = {name: arm.coverage > 0 for name, arm in objects.items()}
    covered = np.logical_and.reduce(list(known.values()))
    if covered[inside].sum() < covered[inside].size / 4:
        covered = known[first] & known[second]
    n_px = int(covered[inside].sum())
    if n_px < FEWEST_PX:
        few = f"nothing to compare: only {n_px} px are covered, of {FEWEST_PX} at least"
        return PairMeasures(nothing(few, Noise.BOTH))
    one, other = (objects[name].image for name in (first, second))
    try:
        return PairMeasures(evaluation.mutual(one, other, covered, region=region))
    except GeometryError as error:
        return PairMeasures(nothing(f"nothing to compare: {error.why}", Noise.BOTH))


def _kept(found: Standard) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    facts = {
        "metrics": {name: asdict(metric) for name, metric in found.metrics.items()},
        "notes": found.notes,
        "noise": found.noise.value,
        "undefined": dict(found.undefined),
    }
    return facts, ring_curves.arrays_of(found.curves)


def _standard(found: Finding) -> Standard:
    facts = found.facts
    return Standard(
        metrics={name: Metric(**metric) for name, metric in facts["metrics"].items()},
        curves=ring_curves.from_arrays(found.arrays),
        notes=tuple(facts["notes"]),
        noise=Noise(facts["noise"]),
        undefined=dict(facts["undefined"]),
        tiles=tiles_of(found),
    )

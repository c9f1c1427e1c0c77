"""What is measured of several arms on the pixels that all of them cover, and of pairs of arms?"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.kept import Finding
from ptyrun.comparison.kept_standard import finding_of, standard_of
from ptyrun.comparison.measures import Measures
from ptyrun.comparison.pair_measures import Pairing, PairMeasures
from ptyrun.comparison.steps import Steps
from ptyrun.comparison.sums import ArmObject
from ptyrun.config import EvaluationOptions
from ptyrun.host.documents import digest_of
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.common_ground import CommonGround
from ptyrun.ptycho.metrics.orientation import says_conjugated
from ptyrun.ptycho.metrics.standard_metrics import Standard
from ptyrun.results import Results

Image = NDArray[np.complex64]


@dataclass(frozen=True)
class CommonMeasures:
    """One arm on the common ground: its figures, and the pair of images (h, w) behind them."""

    standard: Standard
    recon: Image
    truth: Image

    def finding(self) -> Finding:
        """As it is kept for later windows."""
        return finding_of(self.standard, {"recon": self.recon, "truth": self.truth})

    @classmethod
    def from_finding(cls, found: Finding) -> Self:
        """Read back what :meth:`finding` gave."""
        return cls(standard_of(found), found.arrays["recon"], found.arrays["truth"])


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
    moved: Set[str],
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
    moved : set of str
        Names of the arms that are registered.
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
    conjugated = {name for name, own in measured.items() if says_conjugated(own.registration_notes)}
    pairing = Pairing(objects, ground, arms, region, options, moved, bool(measured), conjugated)
    pairs = {
        (first, second): steps.taken(
            f"compare {first} with {second}",
            key,
            PairMeasures.from_finding,
            partial(pairing.measured, first, second),
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

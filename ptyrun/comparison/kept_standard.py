"""How are the literature's measures of two images kept for a later window?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from numpy.typing import NDArray

from ptyrun.comparison import ring_curves
from ptyrun.comparison.kept import Finding
from ptyrun.comparison.kept_tiles import tiles_of, with_tiles
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.ptycho.metrics.standard_metrics import Standard
from ptyrun.results import Metric


def finding_of(found: Standard, images: Mapping[str, NDArray[Any]]) -> Finding:
    """Keep them, and *images* by name."""
    facts = {
        "metrics": {name: asdict(metric) for name, metric in found.metrics.items()},
        "notes": found.notes,
        "noise": found.noise.value,
        "undefined": dict(found.undefined),
    }
    arrays = {**ring_curves.arrays_of(found.curves), **images}
    return with_tiles(Finding(facts, arrays), found.tiles)


def standard_of(found: Finding) -> Standard:
    """Read back what :func:`finding_of` gave."""
    facts = found.facts
    return Standard(
        metrics={name: Metric(**metric) for name, metric in facts["metrics"].items()},
        curves=ring_curves.from_arrays(found.arrays),
        notes=tuple(facts["notes"]),
        noise=Noise(facts["noise"]),
        undefined=dict(facts["undefined"]),
        tiles=tiles_of(found),
    )

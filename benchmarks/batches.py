"""Do patches depend on how many groups are predicted at once, and which batch is the fastest?"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, Scale
from ptyrun.models.files import locate
from ptyrun.models.predictors import ModelRequest, open_predictor
from ptyrun.ptycho.geometry import grouping
from ptyrun.ptycho.geometry.normalisation import normalisation_factor, normalised_groups
from ptyrun.ptycho.readers.opening import open_scan

LARGEST = 64
# Where upstream's own layer merges groups from 16 on, and its neighbours.
QUICK = (1, 2, 15, 16, 17, 40, 64)
CENTRE = slice(22, 42)
# Two units in the last place of amplitudes around 1.
AIM = 4e-7

Float32 = NDArray[np.float32]


def measure(scale: Scale) -> list[Figure]:
    """Predict the same groups in every batch from 1 to 64, each with a network made for it."""
    data = scale.shared / "golden" / "hub" / "data"
    model = data / "phase_e" / "dose_1000" / "dense" / "gs2"
    if not model.is_dir():
        print(f"batches: left out, there is no reference model in {model}", file=sys.stderr)
        return []
    diffraction, offsets = _groups(data / "phase_c" / "dose_1000" / "patched_train.npz")
    batches = QUICK if scale.quick else tuple(range(1, LARGEST + 1))
    wanted, _ = _predicted(model, 1, diffraction, offsets)
    worst, taken_ms = 0.0, {}
    for batch in batches:
        patches, seconds = _predicted(model, batch, diffraction[:batch], offsets[:batch])
        difference = np.abs(patches - wanted[:batch])[:, CENTRE, CENTRE]
        worst = max(worst, float(difference.max()))
        taken_ms[batch] = 1000 * seconds / batch
    return [
        Figure(
            f"largest difference of a patch over {len(batches)} batches",
            worst,
            "",
            AIM,
            note=f"central 20 x 20, against batch 1; {_span(batches)} groups, one patch for each",
        ),
        *(
            Figure(f"  one group, batch {batch}", taken_ms[batch], "ms")
            for batch in (1, 16, LARGEST)
        ),
    ]


def _groups(path: Path) -> tuple[Float32, Float32]:
    scan = open_scan(path)
    frames = grouping.draw_groups(scan.positions_px, 2, n_groups=LARGEST)
    factor = normalisation_factor(scan.energies(), frames, scan.patch_px)
    offsets = grouping.local_offsets_px(scan.positions_px[frames]).astype(np.float32)
    return normalised_groups(scan, frames, factor), offsets


def _predicted(
    folder: Path, batch: int, diffraction: Float32, offsets: Float32
) -> tuple[NDArray[np.complex64], float]:
    """Patches of all groups, and the seconds of the last batch, when everything is warm."""
    model = locate(folder)
    predictor = open_predictor(
        model.backend, ModelRequest(model.path, diffraction.shape[1], 2, batch)
    )
    parts = []
    seconds = 0.0
    for start in [0, *range(0, len(diffraction), batch)]:
        begun = time.perf_counter()
        part = predictor.predict(diffraction[start:][:batch], offsets[start:][:batch])
        seconds = time.perf_counter() - begun
        parts.append(part)
    predictor.close()
    return np.concatenate(parts[1:]), seconds


def _span(batches: Sequence[int]) -> str:
    return f"{batches[0]} to {batches[-1]}"

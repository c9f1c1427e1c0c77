"""Does the last place of one stored offset explain why a patch is not upstream's, bit for bit?

``python -m tests.backends.last_places GOLDEN`` prints, of the reference groups, how many patches
are upstream's as they are, how many are once one of their offsets is moved, and how many are
neither; and by how much they are off at most, in the centre and anywhere.
"""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.backends.tf import TensorFlowPredictor
from ptyrun.models.predictors import ModelRequest
from tests.backends.reference import CENTRE, STUDY, intensity_scale, stored_arrays

STEPS_ULP = (-8, -1, 1, 8)
# One offset of two axes and four patches at a time.
BATCH = 2 * 4 * len(STEPS_ULP)


def moved(offsets_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Offsets (1, 2, 4) of one group, as often as one of them can be moved by a few last places."""
    variants = np.repeat(offsets_px[None], BATCH, axis=0)
    for row, (axis, channel, steps) in enumerate(product(range(2), range(4), STEPS_ULP)):
        variants[row, 0, axis, channel] += steps * np.spacing(offsets_px[0, axis, channel])
    return variants


def explained(golden: Path) -> dict[str, float]:
    """Compare the patches with upstream's, as they are and with one offset moved."""
    stored = stored_arrays(golden)
    diffraction: Any = stored["pinn_in_X"] / intensity_scale(golden)
    offsets_px, wanted = stored["pinn_in_coords"], stored["pinn_patches"][..., 0]
    predictor = TensorFlowPredictor.open(ModelRequest(golden / STUDY / "dense/gs2", 64, 2, BATCH))
    patches = np.concatenate(
        [
            predictor.predict(diffraction[start:][:BATCH], offsets_px[start:][:BATCH])
            for start in range(0, len(wanted), BATCH)
        ]
    )
    off = np.abs(patches - wanted)
    equal = off.max(axis=(1, 2)) == 0
    found = {
        "equal": int(equal.sum()),
        "one offset moved": 0,
        "neither": 0,
        "centre": float(off[:, CENTRE, CENTRE].max()),
        "whole": float(off.max()),
    }
    for group in np.flatnonzero(~equal):
        alike = np.repeat(diffraction[group][None], BATCH, axis=0)
        variants = predictor.predict(alike, moved(offsets_px[group]))
        hit = (variants == wanted[group]).all(axis=(1, 2)).any()
        found["one offset moved" if hit else "neither"] += 1
    return found


if __name__ == "__main__":
    print(json.dumps(explained(Path(sys.argv[1]))))

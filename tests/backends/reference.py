"""What upstream's networks were given and gave, as the reference data has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STUDY = "hub/data/phase_e/dose_1000"
# The pixels of a patch that are stitched.
CENTRE = slice(22, 42)


def stored_arrays(golden: Path) -> dict[str, NDArray[Any]]:
    """Arrays of the networks by their names, all of 96 groups."""
    with np.load(golden / "upstream_train96/arrays.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if "pinn" in name or "baseline" in name}


def intensity_scale(golden: Path) -> np.float32:
    """What upstream multiplies normalised amplitudes with."""
    facts = json.loads((golden / "upstream_train96/golden.json").read_text(encoding="utf-8"))
    return np.float32(facts["intensity_scale"])

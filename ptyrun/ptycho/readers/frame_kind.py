"""Are frames amplitude or intensity? Told by their values where a layout does not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError

AMPLITUDE, INTENSITY = KINDS = ("amplitude", "intensity")


def kind_of(intensity: bool) -> str:
    """Name what frames are."""
    return INTENSITY if intensity else AMPLITUDE


def is_intensity(path: Path, dtype: np.dtype[Any], sample: NDArray[Any], asked: str | None) -> bool:
    """Tell counts from amplitudes where a layout does not say which it holds.

    Raises
    ------
    InputError
        If floating-point numbers are all whole, and nobody says what they are.
    """
    if asked is not None:
        return asked == INTENSITY
    if dtype.kind in "iu":
        return True
    if doubt := doubt_of_whole(sample):
        raise untold(path, doubt)
    return False


def doubt_of_whole(sample: NDArray[Any]) -> str:
    """Say why floating-point numbers may be counts; empty where they are not all whole."""
    finite = sample[np.isfinite(sample)]
    highest = float(finite.max(initial=0.0))
    if highest <= 1 or not np.array_equal(finite, np.rint(finite)):
        return ""
    n_others = sample.size - finite.size
    others = f"; {n_others} of those looked at are NaN or infinite" if n_others else ""
    return f"the values are floating point but all whole, up to {highest:g}{others}"


def untold(path: Path, doubt: str) -> InputError:
    """Refuse frames of which nothing tells what they are."""
    return InputError(
        f"{path} does not say whether its frames are amplitude or intensity",
        why=doubt,
        do="use --diffraction-kind amplitude or --diffraction-kind intensity",
    )

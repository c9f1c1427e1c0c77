"""How precise is one network? Its even and its odd groups make two objects, and these correlate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics.image_pair import HOLES_DECIDE
from ptyrun.ptycho.metrics.phase_pair import FEWEST_PX
from ptyrun.ptycho.metrics.standard_metrics import (
    THRESHOLDS,
    Curves,
    correlations,
    resolutions,
)
from ptyrun.resolutions import COMPONENTS
from ptyrun.results import Metric

# Smaller pieces that both halves cover say nothing.
TOO_LITTLE = f"both halves cover fewer than {FEWEST_PX} pixels"

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class HalfFigures:
    """Where halves cease to correlate, and why some of it does not exist.

    Attributes
    ----------
    precision : mapping of str to Metric
        In fractions of Nyquist.
    undefined : mapping of str to str
        Why a number does not exist.
    curves : Curves
        The correlations, ring by ring.
    """

    precision: Mapping[str, Metric]
    undefined: Mapping[str, str]
    curves: Curves | None


def compared_halves(even: Complex2D, odd: Complex2D, covered: Mask) -> HalfFigures:
    """Correlate two halves of one arm, ring by ring.

    Parameters
    ----------
    even, odd : ndarray of complex, shape (h, w)
        Stitched from alternate groups, on one grid: nothing is registered.
    covered : ndarray of bool, shape (h, w)
        Where both are known.

    Returns
    -------
    HalfFigures
        Of amplitude, phase and field.

    Notes
    -----
    What both halves share is called signal, and with it whatever the network gets wrong in the same
    way each time: this is precision, not accuracy. The thresholds are those of two noisy images;
    van Heel and Schatz, J. Struct. Biol. 151, 250 (2005), doi:10.1016/j.jsb.2005.05.009.
    """
    if covered.sum() < FEWEST_PX:
        none = {f"{name}.{part}": TOO_LITTLE for name in THRESHOLDS for part in COMPONENTS}
        return HalfFigures({name: Metric() for name in THRESHOLDS}, none, None)
    inside = _bounded(covered)
    curves = correlations(even[inside], odd[inside], covered[inside])
    found = resolutions(curves, THRESHOLDS)
    undefined = {
        f"{name}.{part}": HOLES_DECIDE
        for name, metric in found.items()
        for part in COMPONENTS
        if (value := metric[part]) is not None and math.isnan(value)
    }
    return HalfFigures(found, undefined, curves)


def _bounded(covered: Mask) -> tuple[slice, slice]:
    """The smallest rectangle around what is covered."""
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)

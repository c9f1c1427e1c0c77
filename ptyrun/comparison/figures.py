"""Which figures does a finished comparison leave as files?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import ring_figures
from ptyrun.comparison.pictures import Array, reference_label, scene
from ptyrun.comparison.ring_curves import RingCurve
from ptyrun.comparison.shown_field import PRINTED_SIDE_PX
from ptyrun.config import Alignment, Presentation
from ptyrun.host import durable, memory
from ptyrun.paths import COMPARISON, PNG, RINGS, UPSTREAM_RINGS, VECTORS, RunPaths
from ptyrun.report import drawn, plots
from ptyrun.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curves = Mapping[str, Mapping[str, NDArray[np.float64]]]


def comparison_figure(
    results: Results, presentation: Presentation, alignment: Alignment, array: Array
) -> Figure | None:
    """Draw arms and reference side by side; None if there is nothing to show."""
    shown = scene(results, presentation, alignment, array, PRINTED_SIDE_PX)
    size_m = presentation.pixel_size_m or results.pixel_size_m
    return None if shown is None else plots.comparison_figure(shown, size_m)


def write(
    paths: RunPaths,
    results: Results,
    presentation: Presentation,
    alignment: Alignment,
    array: Array,
    curves: Sequence[RingCurve],
    upstream_curves: Curves,
) -> None:
    """Write each figure as PNG, and as PDF and SVG where these are wanted.

    Parameters
    ----------
    paths : RunPaths
    results : Results
    presentation : Presentation
    alignment : Alignment
    array : callable
        Gives an array by its path in ``objects.zarr``; None if there is none.
    curves : sequence of RingCurve
        The standard ones.
    upstream_curves : mapping
        ``amplitude_frc`` and ``phase_frc`` (R,) of each arm, by PtychoPINN's formula.
    """
    sides_px = {
        name: min(field.shape)
        for name in upstream_curves
        if (field := array(f"{name}/aligned")) is not None
    }
    upstream = {name: upstream_curves[name] for name in sides_px}
    size_m = presentation.pixel_size_m or results.pixel_size_m
    with memory.uncollected():
        figures = {
            COMPARISON: comparison_figure(results, presentation, alignment, array),
            RINGS: ring_figures.standard_figure(results, curves, reference_label(results), size_m),
            UPSTREAM_RINGS: ring_figures.upstream_figure(results, upstream, sides_px, size_m),
        }
        for name, figure in figures.items():
            if figure is not None:
                for kind in (PNG, *(VECTORS if presentation.vector_plots else ())):
                    durable.write_atomic(paths.figure(name, kind), drawn.content(figure, kind))

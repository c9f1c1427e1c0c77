"""What is drawn of a finished comparison?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from ptyrun.config import Presentation
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.report.plots import Panel
from ptyrun.results import ArmResult, Results

FOREIGN = "does not belong to this scan"


def panels(
    results: Results, presentation: Presentation, array: Callable[[str], NDArray[Any] | None]
) -> list[Panel]:
    """Give the panels of ``comparison_plot.png``: each arm, then the ground truth.

    Parameters
    ----------
    array : callable
        Gives an array by its path in ``objects.zarr``; None if there is none.
    """
    inside = Region(*results.evaluated_region_px).slices
    found = []
    for name, arm in results.arms.items():
        image, coverage = array(f"{name}/object"), array(f"{name}/coverage")
        if image is not None and coverage is not None:
            found.append(
                Panel(
                    label=arm.label,
                    image=image[inside],
                    covered=coverage[inside] > 0,
                    offset_px=_offset_px(arm),
                    phase_limits=presentation.phase_limits(name),
                    warning=FOREIGN if arm.mismatch else None,
                )
            )
    truth = array("ground_truth/object")
    if truth is not None:
        found.append(Panel("ground truth", truth[inside]))
    return found


def _offset_px(arm: ArmResult) -> tuple[float, float] | None:
    found = [arm.metrics.get(f"registration_offset_{axis}") for axis in ("dy", "dx")]
    dy, dx = (None if metric is None else metric.value for metric in found)
    return None if dy is None or dx is None else (dy, dx)

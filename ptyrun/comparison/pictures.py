"""What is drawn of a finished comparison?"""

from __future__ import annotations

from ptyrun.comparison.finished import FinishedRun
from ptyrun.config import Presentation
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.report.plots import Panel
from ptyrun.results import ArmResult

FOREIGN = "does not belong to this scan"


def finished_panels(run: FinishedRun, presentation: Presentation) -> list[Panel]:
    """Give the panels of ``comparison_plot.png``: each arm, then the ground truth."""
    inside = Region(*run.results.evaluated_region_px).slices
    panels = []
    for name, arm in run.results.arms.items():
        image, coverage = run.array(f"{name}/object"), run.array(f"{name}/coverage")
        if image is not None and coverage is not None:
            panels.append(
                Panel(
                    label=arm.label,
                    image=image[inside],
                    covered=coverage[inside] > 0,
                    offset_px=_offset_px(arm),
                    phase_limits=presentation.phase_limits(name),
                    warning=FOREIGN if arm.mismatch else None,
                )
            )
    truth = run.array("ground_truth/object")
    if truth is not None:
        panels.append(Panel("ground truth", truth[inside]))
    return panels


def _offset_px(arm: ArmResult) -> tuple[float, float] | None:
    found = [arm.metrics.get(f"registration_offset_{axis}") for axis in ("dy", "dx")]
    dy, dx = (None if metric is None else metric.value for metric in found)
    return None if dy is None or dx is None else (dy, dx)

"""What is written beside the metrics, and how is it shown?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from ptyrun.config.facts import Facts
from ptyrun.config.options import Option, Panel, Place, require_bounds
from ptyrun.errors import GeometryError, UsageError

_LONGEST_PX = 10000.0
_LARGEST_PIXEL_M = 1e-3  # visible to the eye: it was said in nanometres


class PlotScale(StrEnum):
    """How values become colours in ``comparison_plot`` and in the report."""

    COMMON = "common"
    PER_ARM = "per-arm"


def _phase(arm: str, end: str, side: str) -> Option:
    return Option(
        f"--{arm}_phase_v{end}",
        f"Phase in radians at the {side} end of the arm's colours, in place of the percentile; "
        "each arm then has its own scale.",
        Panel.OUTPUT,
        "RAD",
    )


def _percentile(end: str, side: str) -> Option:
    about = f"Percentile of the values at the {side} end of the colours."
    default = {"min": "1; 10 per arm", "max": "99; 90 per arm"}[end]
    return Option(f"--p_{end}", about, Panel.OUTPUT, "PERCENT", default, least=0, most=100)


@dataclass(frozen=True)
class Presentation(Facts):
    """What is written beside the metrics, and of how much; changes none of them."""

    save_npz: Annotated[
        bool,
        Option("--save-npz", "Write reconstructions.npz, the objects as stitched.", Panel.OUTPUT),
    ] = True
    save_npz_aligned: Annotated[
        bool,
        Option(
            "--save-npz-aligned",
            "Write reconstructions_aligned.npz, the objects as measured.",
            Panel.OUTPUT,
        ),
    ] = True
    save_debug_images: Annotated[
        bool,
        Option(
            "--save-debug-images",
            "Write a picture of each arm's whole object into debug/.",
            Panel.OUTPUT,
        ),
    ] = False
    plot_scale: Annotated[
        PlotScale,
        Option(
            "--plot-scale",
            "Colours of pictures: one scale for all arms, by the reference; or each arm's own, as "
            "PtychoPINN draws them.",
            Panel.OUTPUT,
        ),
    ] = PlotScale.COMMON
    vector_plots: Annotated[
        bool,
        Option("--vector-plots", "Write plots as PDF and SVG, too.", Panel.OUTPUT),
    ] = True
    percentile_min: Annotated[float | None, _percentile("min", "lower")] = None
    percentile_max: Annotated[float | None, _percentile("max", "upper")] = None
    pinn_phase_vmin: Annotated[float | None, _phase("pinn", "min", "lower")] = None
    pinn_phase_vmax: Annotated[float | None, _phase("pinn", "max", "upper")] = None
    baseline_phase_vmin: Annotated[float | None, _phase("baseline", "min", "lower")] = None
    baseline_phase_vmax: Annotated[float | None, _phase("baseline", "max", "upper")] = None
    baseline_debug_dir: Annotated[
        str | None,
        Option(
            "--baseline-debug-dir",
            "Write the Baseline's inputs and outputs into this folder.",
            Panel.OUTPUT,
            place=Place.FOLDER,
        ),
    ] = None
    pixel_size_m: Annotated[
        float | None,
        Option(
            "--pixel-size-m",
            "Side of an object pixel in metres, such as 2.5e-8 for 25 nm; for scale bars and "
            "resolutions.",
            Panel.OUTPUT,
            "METRES",
            "as the scan's file says",
            above=0,
            most=_LARGEST_PIXEL_M,
        ),
    ] = None
    line: Annotated[
        str | None,
        Option(
            "--line",
            "Profiles of all arms along the line from (y0, x0) to (y1, x1), in object pixels, and "
            "the widths of the edge there.",
            Panel.EVALUATION,
            "Y0,X0,Y1,X1",
            "none",
        ),
    ] = None
    r_factor_frames: Annotated[
        int,
        Option(
            "--r-factor-frames",
            "Number of measured frames that each arm's R-factor is of; always the same ones. "
            "`all` takes every frame.",
            Panel.EVALUATION,
            "N",
            least=1,
            named={"all": 0},
        ),
    ] = 512

    def __post_init__(self) -> None:
        """Refuse ranges of colours without extent, and pixels without size."""
        require_bounds(self)
        ends = self.percentiles(is_per_arm=self.is_per_arm)
        self._require_order("--p_min, --p_max", *ends)
        if self.line is not None:
            self._require_line()
        for arm in ("pinn", "baseline"):
            words = f"--{arm}_phase_vmin, --{arm}_phase_vmax"
            self._require_order(words, *self.phase_limits(arm))

    @staticmethod
    def _require_order(words: str, low: float | None, high: float | None) -> None:
        if low is not None and high is not None and low >= high:
            raise UsageError(
                f"invalid {words}: {low:g}, {high:g}",
                why="the first must be less than the second",
                do="correct them, or leave them out",
            )

    @property
    def is_per_arm(self) -> bool:
        """Whether each arm has colours of its own: so asked for, or by limits of one arm."""
        limits = [end for arm in ("pinn", "baseline") for end in self.phase_limits(arm)]
        return self.plot_scale is PlotScale.PER_ARM or any(end is not None for end in limits)

    def percentiles(self, *, is_per_arm: bool) -> tuple[float, float]:
        """Which values the ends of the colours are: PtychoPINN's where arms have their own."""
        low, high = (10.0, 90.0) if is_per_arm else (1.0, 99.0)
        low = low if self.percentile_min is None else self.percentile_min
        return low, high if self.percentile_max is None else self.percentile_max

    def _require_line(self) -> None:
        try:
            ends = self.line_px
            holds = len(ends) == 4 and all(map(math.isfinite, ends))
            holds = holds and 8 <= math.hypot(ends[2] - ends[0], ends[3] - ends[1]) <= _LONGEST_PX
        except ValueError:
            holds = False
        if not holds:
            raise UsageError(
                f"invalid --line: {self.line!s:.80}",
                why=f"it must be four numbers y0,x0,y1,x1, 8 to {_LONGEST_PX:g} pixels from end to "
                "end",
                do="correct it, or leave it out",
            )

    def require_line_on(self, height: int, width: int) -> None:
        """Refuse a line that leaves an object's grid of so many pixels.

        Raises
        ------
        GeometryError
            If an end of it lies outside.
        """
        if self.line is None:
            return
        y0, x0, y1, x1 = self.line_px
        if not all(0 <= y <= height - 1 and 0 <= x <= width - 1 for y, x in ((y0, x0), (y1, x1))):
            raise GeometryError(
                f"--line {self.line} leaves the object",
                why=f"the object's grid has {height} x {width} px: y is in 0..{height - 1}, "
                f"x in 0..{width - 1}",
                do="give both ends within it, as y0,x0,y1,x1",
            )

    @property
    def line_px(self) -> tuple[float, float, float, float]:
        """Both ends of the line: y0, x0, y1, x1."""
        y0, x0, y1, x1 = map(float, (self.line or "").split(","))
        return y0, x0, y1, x1

    def phase_limits(self, arm: str) -> tuple[float | None, float | None]:
        """Fixed ends of an arm's phase colours in radians, where they were chosen."""
        return (
            getattr(self, f"{arm}_phase_vmin", None),
            getattr(self, f"{arm}_phase_vmax", None),
        )

"""Which groups are compared, how are objects measured, and how are they shown?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from ptyrun.config.arms import ArmKind
from ptyrun.config.options import Option, Panel, Place, Switch, entries, require_bounds
from ptyrun.errors import UsageError

_LONGEST_PX = 10000.0
_WIDEST = 1000.0  # of a Gaussian: beyond, nothing of an image is left

Fact = str | int | float | bool | None


class Registration(StrEnum):
    """Which arms are shifted onto the ground truth before they are measured."""

    ALL = "all"
    RECONSTRUCTION_ONLY = "reconstruction-only"
    NONE = "none"

    def reaches(self, kind: str) -> bool:
        """Whether arms of this :class:`ArmKind` are shifted."""
        finished_only = self is Registration.RECONSTRUCTION_ONLY
        return self is Registration.ALL or (finished_only and kind == ArmKind.RECONSTRUCTION)


class Alignment(StrEnum):
    """On which canvas patches are laid."""

    EXACT = "exact"
    UPSTREAM = "upstream"


class PhaseAlign(StrEnum):
    """What is removed from phases before they are compared."""

    PLANE = "plane"
    MEAN = "mean"


@dataclass(frozen=True)
class _Facts:
    """Settings that are written into a manifest and read back from it."""

    def facts(self) -> dict[str, Fact]:
        """As plain JSON values, by field name."""
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Read back what :meth:`facts` wrote; facts of other settings are passed over."""
        kinds = {entry.field: entry.kind for entry in entries(cls)}
        return cls(
            **{name: _typed(kind, facts[name]) for name, kind in kinds.items() if name in facts}
        )


def _typed(kind: type[Any], value: Any) -> Any:
    return kind(value) if issubclass(kind, StrEnum) else value


def _plain(value: Any) -> Fact:
    if isinstance(value, StrEnum):
        return value.value
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True)
class Selection(_Facts):
    """Which groups of the scan are compared."""

    n_groups: Annotated[
        int | None,
        Option(
            "--n-test-groups",
            "Number of groups to compare.",
            Panel.SELECTION,
            "N",
            "all",
            least=1,
            former="--n-test-images",
        ),
    ] = None
    n_subsample: Annotated[
        int | None,
        Option(
            "--n-test-subsample",
            "Randomly select this many diffraction frames before grouping.",
            Panel.SELECTION,
            "N",
            "all",
            least=1,
            former="--n-subsample",
        ),
    ] = None
    subsample_seed: Annotated[
        int,
        Option(
            "--test-subsample-seed",
            "Seed of the selection of frames.",
            Panel.SELECTION,
            "SEED",
            least=0,
            former="--subsample-seed",
        ),
    ] = 456
    grouping_seed: Annotated[
        int, Option("--grouping-seed", "Seed of the groups.", Panel.SELECTION, "SEED", least=0)
    ] = 123
    neighbor_count: Annotated[
        int,
        Option(
            "--neighbor-count",
            "Number K of nearest neighbours each group is drawn from.",
            Panel.SELECTION,
            "K",
            least=1,
        ),
    ] = 7
    diffraction_kind: Annotated[
        str | None,
        Option(
            "--diffraction-kind",
            "Whether diffraction is amplitude or intensity, if the file does not say.",
            Panel.SELECTION,
            choices=("amplitude", "intensity"),
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse seeds that no generator takes, and selections of nothing."""
        require_bounds(self)


class Compression(StrEnum):
    """How chunks are stored: lz4 saves about a fifth of the space and costs time."""

    NONE = "none"
    LZ4 = "lz4"


@dataclass(frozen=True)
class EvaluationOptions(_Facts):
    """How objects are assembled, brought together and measured."""

    stitch_crop_px: Annotated[
        int,
        Option(
            "--stitch-crop-size",
            "Central crop of each patch used for stitching, in pixels: even, at most the patch "
            "size.",
            Panel.EVALUATION,
            "PX",
            least=1,
        ),
    ] = 20
    alignment: Annotated[
        Alignment,
        Option(
            "--alignment",
            "Canvas: the object's own grid, or upstream's square with its centring and crops.",
            Panel.EVALUATION,
        ),
    ] = Alignment.EXACT
    registration: Annotated[
        Registration,
        Option(
            "--registration",
            panel=Panel.EVALUATION,
            switches=(
                Switch(
                    "--skip-registration",
                    Registration.NONE,
                    "Do not register any arm to the reference (default: register all).",
                ),
                Switch(
                    "--register-ptychi-only",
                    Registration.RECONSTRUCTION_ONLY,
                    "Register only finished reconstructions.",
                ),
            ),
        ),
    ] = Registration.ALL
    phase_align: Annotated[
        PhaseAlign,
        Option(
            "--phase-align-method",
            "What is removed from phases before they are compared.",
            Panel.EVALUATION,
        ),
    ] = PhaseAlign.PLANE
    frc_sigma: Annotated[
        float,
        Option(
            "--frc-sigma",
            "Width in rings of the Gaussian that smooths FRC curves.",
            Panel.EVALUATION,
            "RINGS",
            least=0,
            most=_WIDEST,
        ),
    ] = 0.0
    ms_ssim_sigma: Annotated[
        float,
        Option(
            "--ms-ssim-sigma",
            "Width in pixels of the Gaussian on amplitudes before MS-SSIM.",
            Panel.EVALUATION,
            "PX",
            least=0,
            most=_WIDEST,
        ),
    ] = 1.0

    def __post_init__(self) -> None:
        """Refuse widths that are no widths."""
        require_bounds(self)


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
class Presentation(_Facts):
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
            "Side of a pixel in metres, for scale bars and resolutions.",
            Panel.OUTPUT,
            "METRES",
            "as the scan's file says",
            above=0,
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

"""How are objects assembled, brought together and measured?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from ptyrun.config.arms import ArmKind
from ptyrun.config.facts import Facts
from ptyrun.config.options import Option, Panel, Switch, require_bounds

_WIDEST = 1000.0  # of a Gaussian: beyond, nothing of an image is left


class Registration(StrEnum):
    """Which arms are shifted onto the ground truth before they are measured."""

    ALL = "all"
    RECONSTRUCTION_ONLY = "reconstruction-only"
    NONE = "none"

    def reaches(self, kind: str) -> bool:
        """Whether arms of this :class:`ArmKind` are shifted."""
        finished_only = self is Registration.RECONSTRUCTION_ONLY
        return self is Registration.ALL or (finished_only and kind == ArmKind.RECONSTRUCTION)

    @property
    def why_not(self) -> str:
        """What is said of arms that are not shifted, since it was asked for."""
        only = self is Registration.RECONSTRUCTION_ONLY
        return f"not registered: {'--register-ptychi-only' if only else '--skip-registration'}"


class Alignment(StrEnum):
    """On which canvas patches are laid."""

    EXACT = "exact"
    UPSTREAM = "upstream"


class PhaseAlign(StrEnum):
    """What is removed from phases before they are compared."""

    PLANE = "plane"
    MEAN = "mean"


@dataclass(frozen=True)
class EvaluationOptions(Facts):
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

"""Which groups of the scan are compared?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from ptyrun.config.facts import Facts
from ptyrun.config.options import Option, Panel, require_bounds


class PositionOrigin(StrEnum):
    """Where on the object positions are zero."""

    CORNER = "corner"
    CENTRE = "centre"


@dataclass(frozen=True)
class Selection(Facts):
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

    leave_out_dark: Annotated[
        bool,
        Option(
            "--leave-out-dark",
            "Select no frame without signal, such as those after a scan was aborted. Without it "
            "they are predicted, and their patches weigh nothing.",
            Panel.SELECTION,
        ),
    ] = False
    position_origin: Annotated[
        PositionOrigin,
        Option(
            "--position-origin",
            "Where positions are counted from: the object's first pixel, or its middle.",
            Panel.SELECTION,
        ),
    ] = PositionOrigin.CORNER

    def __post_init__(self) -> None:
        """Refuse seeds that no generator takes, and selections of nothing."""
        require_bounds(self)

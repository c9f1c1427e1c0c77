"""What is one comparison, as it is asked for?"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from ptyrun.config.arms import ArmConfig
from ptyrun.config.evaluation import EvaluationOptions
from ptyrun.config.options import Option, Panel, Place
from ptyrun.config.presentation import Presentation
from ptyrun.config.selection import Selection

# What stands for no file where the ground truth is named.
OBJECT_GUESS = Path("objectGuess")
NO_TRUTH = Path("none")


class Compression(StrEnum):
    """How chunks are stored: lz4 saves about a fifth of the space and costs time."""

    NONE = "none"
    LZ4 = "lz4"


@dataclass(frozen=True)
class CompareConfig:
    """One comparison, as asked for."""

    scan: Annotated[
        Path,
        Option(
            "--test_data",
            "The scan: frames, positions, probe.",
            Panel.INPUTS,
            "FILE",
            place=Place.FILE,
        ),
    ]
    output_dir: Annotated[
        Path, Option("--output_dir", "The run's folder.", Panel.OUTPUT, place=Place.FOLDER)
    ]
    arms: Annotated[
        tuple[ArmConfig, ...],
        Option(
            "--arm",
            "An arm: name=unet,path=unet.keras or name=tike,reconstruction=FILE; more keys: "
            "label, backend, gridsize, batch, chunk, limit, factory=module:callable.",
            Panel.INPUTS,
            "KEY=VALUE,...",
        ),
    ]
    selection: Selection = field(default_factory=Selection)
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    presentation: Presentation = field(default_factory=Presentation)
    follow_links: Annotated[
        Path | None,
        Option(
            "--follow-links",
            "Follow links and views of an HDF5 scan to files below this folder.",
            Panel.INPUTS,
            "DIR",
            "refused",
            place=Place.FOLDER,
        ),
    ] = None
    groups_from: Annotated[
        Path | None,
        Option(
            "--groups-from",
            "Reuse the groups stored in this NPZ (`nn_indices`).",
            Panel.SELECTION,
            place=Place.FILE,
        ),
    ] = None
    ground_truth: Annotated[
        Path | None,
        Option(
            "--ground-truth",
            "Which object is the truth: that of FILE, the scan's objectGuess, or none. An object "
            "that is not the truth is a reference, one more noisy measurement.",
            Panel.EVALUATION,
            "FILE|objectGuess|none",
            "objectGuess where the scan says that it was simulated, else none",
            place=Place.FILE,
            named={str(OBJECT_GUESS): OBJECT_GUESS, str(NO_TRUTH): NO_TRUTH},
        ),
    ] = None
    compression: Annotated[
        Compression,
        Option(
            "--compression",
            "How chunks are stored; lz4 saves about a fifth of the space.",
            Panel.OUTPUT,
        ),
    ] = Compression.NONE

    @property
    def ground_truth_file(self) -> Path | None:
        """The file that holds the truth, where one was named."""
        return self.ground_truth if self.ground_truth not in (OBJECT_GUESS, NO_TRUTH) else None

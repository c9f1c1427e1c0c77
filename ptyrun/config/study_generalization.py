"""Which training sizes and trials does a study follow? Table ``[generalization]`` of its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ptyrun.config.options import Option, Panel


@dataclass(frozen=True, kw_only=True)
class GeneralizationOptions:
    """Networks that are trained on a part of the train half, several times, and compared."""

    generalization_sizes: Annotated[
        tuple[int, ...],
        Option(
            "--generalization-sizes",
            "Number of frames of the train half that networks are trained on.",
            Panel.SELECTION,
            "N",
            "none: no study of the training size",
            least=4,
            also="--train-group-sizes",
        ),
    ] = ()
    generalization_trials: Annotated[
        int,
        Option(
            "--generalization-trials",
            "Trials of each training size: other frames, other first weights.",
            Panel.SELECTION,
            "N",
            least=1,
            also="--num-trials",
        ),
    ] = 5

"""How are the iterative reconstructions of a study made? Table ``[reconstruction]`` of its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ptyrun.config.options import Option, Panel


@dataclass(frozen=True, kw_only=True)
class ReconstructionOptions:
    """The algorithm of all reconstructions of a study, and what it is told."""

    reconstruction_algorithm: Annotated[
        str,
        Option(
            "--reconstruction-algorithm",
            "Iterative algorithm: epie, ptychi where pty-chi is installed, or another package's.",
            Panel.NETWORKS,
            "NAME",
        ),
    ] = "epie"
    reconstruction_epochs: Annotated[
        int,
        Option(
            "--reconstruction-epochs",
            "Passes of the iterative algorithm over all frames.",
            Panel.NETWORKS,
            "N",
            least=1,
        ),
    ] = 100
    reconstruction_seed: Annotated[
        int,
        Option(
            "--reconstruction-seed",
            "Seed of the order in which the iterative algorithm takes the frames.",
            Panel.NETWORKS,
            "SEED",
            least=0,
            most=2**32 - 1,
        ),
    ] = 0
    reconstruction_update_probe: Annotated[
        bool,
        Option(
            "--reconstruction-update-probe",
            "Let the iterative algorithm improve the probe as well.",
            Panel.NETWORKS,
        ),
    ] = False
    reconstruction_batch_frames: Annotated[
        int,
        Option(
            "--reconstruction-batch-frames",
            "Number of frames that the iterative algorithm updates at once; epie always takes one.",
            Panel.NETWORKS,
            "N",
            least=1,
        ),
    ] = 32

"""How are the networks of a study trained? Table ``[training]`` of its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ptyrun.config.options import Option, Panel

_SETTINGS = "A setting of the trainer of the {}, like {}."


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Who trains the two networks, how long, and what they are told."""

    training_pinn: Annotated[
        str,
        Option(
            "--training-pinn",
            "Trainer of the PINN: pinn.pt2 (PyTorch), wts.h5.zip (upstream's package), or another "
            "package's.",
            Panel.NETWORKS,
            "TRAINER",
        ),
    ] = "pinn.pt2"
    training_baseline: Annotated[
        str,
        Option(
            "--training-baseline",
            "Trainer of the Baseline: baseline.keras (TensorFlow), baseline_model.h5 "
            "(upstream's package), or another package's.",
            Panel.NETWORKS,
            "TRAINER",
        ),
    ] = "baseline.keras"
    training_pinn_epochs: Annotated[
        int,
        Option(
            "--training-pinn-epochs",
            "Passes of the PINN over its training groups.",
            Panel.NETWORKS,
            "N",
            least=1,
        ),
    ] = 50
    training_baseline_epochs: Annotated[
        int,
        Option(
            "--training-baseline-epochs",
            "Passes of the Baseline over its training frames.",
            Panel.NETWORKS,
            "N",
            least=1,
        ),
    ] = 50
    training_pinn_set: Annotated[
        tuple[str, ...],
        Option(
            "--training-pinn-set",
            _SETTINGS.format("PINN", "width=12"),
            Panel.NETWORKS,
            "NAME=VALUE",
        ),
    ] = ()
    training_baseline_set: Annotated[
        tuple[str, ...],
        Option(
            "--training-baseline-set",
            _SETTINGS.format("Baseline", "batch_frames=8"),
            Panel.NETWORKS,
            "NAME=VALUE",
        ),
    ] = ()
    training_seed: Annotated[
        int,
        Option(
            "--training-seed",
            "Seed of the first weights and of the order of the examples.",
            Panel.NETWORKS,
            "SEED",
            least=0,
            most=2**32 - 1,
        ),
    ] = 0
    training_threads: Annotated[
        int,
        Option(
            "--training-threads",
            "Number of CPU threads of a training. Another number changes the last digits.",
            Panel.NETWORKS,
            "N",
            least=1,
        ),
    ] = 1

"""What is one thing to compare, and what may be said of it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from ptyrun.config.options import ROLE, Option, Panel, Place, keys, require_bounds


class ArmKind(StrEnum):
    """What an arm is."""

    PREDICTOR = "predictor"
    RECONSTRUCTION = "reconstruction"


# Backends that come with ptyrun; all others are code of another package.
OWN_BACKENDS = frozenset({"tf", "pytorch", "onnx"})
CHUNK_GROUPS = 256
BATCH_GROUPS = 32
# Arms with options of their own, and what tables call them; the finished one by its file.
ROLES = {"pinn": "PtychoPINN", "baseline": "Baseline", "reconstruction": ""}
_NETWORKS = ("pinn", "baseline")

# What an arm is taken for when neither its model nor its user says.
_ROLE_GRIDSIZE = {"pinn": 2}


def role_gridsize(arm: str) -> int:
    """Gridsize of an arm whose model does not tell."""
    return _ROLE_GRIDSIZE.get(arm, 1)


@dataclass(frozen=True)
class ArmConfig:
    """One thing to compare.

    ``chunk_groups`` of 0 means one chunk for all groups; None means as the run on disk was planned,
    and so for ``batch_groups``; a new run takes the defaults. ``gridsize`` None means as the model
    says, else as its role says. ``limit_groups`` restricts the arm to the first groups of the
    selection. ``options`` go to the backend (``factory``). ``trusted`` lets the model run its own
    code, where it holds any; it changes no result and is written down nowhere.
    """

    name: Annotated[str, Option(key="name")]
    path: Annotated[
        Path,
        Option(
            f"--{ROLE}_dir",
            "Folder or file of the network.",
            Panel.INPUTS,
            place=Place.ANY,
            key="path",
            roles=_NETWORKS,
        ),
        Option(
            "--tike_recon_path",
            "A finished reconstruction (NPZ with reconstructed_object, ptychodus HDF5, CXI).",
            Panel.INPUTS,
            place=Place.FILE,
            also="--recon_path",
            key="reconstruction",
            roles=("reconstruction",),
        ),
    ]
    label: Annotated[str, Option(key="label")]
    kind: ArmKind = ArmKind.PREDICTOR
    backend: Annotated[
        str | None,
        Option(
            f"--{ROLE}-backend",
            "Entry point of the predictor that runs this network.",
            Panel.NETWORKS,
            "NAME",
            "detected from the file",
            key="backend",
            roles=_NETWORKS,
        ),
    ] = None
    gridsize: Annotated[int | None, Option(key="gridsize", least=1)] = None
    chunk_groups: Annotated[
        int | None,
        Option(
            f"--{ROLE}-chunk-size",
            "Number of groups of this arm committed together, or `all`; changes no result.",
            Panel.NETWORKS,
            "GROUPS",
            f"as planned, else {CHUNK_GROUPS}",
            least=1,
            named={"all": 0},
            key="chunk",
            roles=_NETWORKS,
        ),
    ] = None
    batch_groups: Annotated[
        int | None,
        Option(
            f"--{ROLE}-predict-batch-size",
            "Number of groups that this network predicts at once.",
            Panel.NETWORKS,
            "GROUPS",
            f"as planned, else {BATCH_GROUPS}",
            least=1,
            key="batch",
            roles=_NETWORKS,
        ),
    ] = None
    limit_groups: Annotated[
        int | None,
        Option(
            f"--{ROLE}-debug-limit",
            "Predict only the first groups of the selection with this arm. Normalisation is that "
            "of the whole selection, so that a full run can take over the chunks with --reuse.",
            Panel.NETWORKS,
            "GROUPS",
            "all",
            least=1,
            key="limit",
            roles=_NETWORKS,
        ),
    ] = None
    options: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that cut nothing."""
        require_bounds(self)


# The keys of ``--arm``; a predictor of another package may take more.
ARM_WORDS = (*keys(ArmConfig), "factory")

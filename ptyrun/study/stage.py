"""What is one stage of a study? What it reads, what it writes, and what it depends on besides."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ptyrun.host.documents import canonical_json, digest_of
from ptyrun.host.typed_json import parse
from ptyrun.study.hub import ATTEMPT, PIECES, RECORD, Hub

DIVISIBLE = (
    *("simulate", "train-pinn", "train-baseline", "reconstruct"),
    *("compare-debug", "compare"),
)
# A parameter of stages that are made whole or not at all although others of their kind are not.
IN_ONE_PIECE = "in_one_piece"
# The parameter of ready files that names the kind of stage whose place they take.
STANDS_FOR = "stands for"

# What a comparison reads, by what it is to it.
SCAN, PINN, BASELINE, RECONSTRUCTION = "scan", "pinn", "baseline", "reconstruction"


@dataclass(frozen=True)
class Input:
    """One file that a stage reads.

    ``name`` is what records call it: the path below the hub, or the role of a file from elsewhere,
    so that such a file may move. ``path`` is where it lies, ``role`` what it is to the stage.
    ``is_folder`` stands for whatever stages make in that folder.
    """

    name: str
    path: Path
    role: str = ""
    is_folder: bool = False


@dataclass(frozen=True)
class Stage:
    """One step of a study, run as a process of its own.

    Parameters
    ----------
    key : str
        Unique in its study; also part of file names.
    kind : str
        What it does, the same for all doses, views and splits.
    inputs : tuple of Input
    outputs : tuple of str
        Paths below the hub; at least one.
    parameters : mapping
        All that its outputs depend on besides its inputs, by name, as text.
    axes : mapping
        Its dose, view and split, as far as it has them, as its names spell them.
    command : tuple of str
        Of a stage that is not ptyrun's own; empty for the others.
    cwd : Path, optional
        Where the command runs.
    workspace : str
        Folder below the hub in which everything is this stage's, besides its outputs; empty if it
        has none.
    """

    key: str
    kind: str
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    axes: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    cwd: Path | None = None
    workspace: str = ""

    @property
    def folder(self) -> PurePosixPath:
        """Where the first output lies, and with it the stage's documents."""
        return PurePosixPath(self.outputs[0]).parent

    @property
    def is_divisible(self) -> bool:
        """Whether a later window goes on where one ended, so that any time is enough to begin."""
        whole = self.parameters.get(IN_ONE_PIECE) == canonical_json(value=True)
        return self.kind in DIVISIBLE and not self.command and not whole

    @property
    def stands_for(self) -> str:
        """Its kind; of ready files that of the stage whose place they take."""
        said = self.parameters.get(STANDS_FOR)
        return self.kind if said is None else str(parse(said))

    def written(self, hub: Hub) -> tuple[str, ...]:
        """Outputs that the stage writes: ready files that lie in their place already are not."""
        given = {os.path.realpath(each.path) for each in self.inputs}
        return tuple(name for name in self.outputs if os.path.realpath(hub.path(name)) not in given)

    def made(self, hub: Hub) -> tuple[str, ...]:
        """All that is the stage's: its workspace, or what it writes."""
        return (self.workspace,) if self.workspace else self.written(hub)

    def record(self, hub: Hub) -> Path:
        """What was made, and from what; written last."""
        return hub.path(str(self.folder / f"{self.key}{RECORD}"))

    def attempt(self, hub: Hub) -> Path:
        """That the stage was begun, and how it failed; gone when it is done."""
        return hub.path(str(self.folder / f"{self.key}{ATTEMPT}"))

    def pieces(self, hub: Hub, facts: str) -> Path:
        """What an earlier window finished of the stage, from these *facts*."""
        return hub.path(str(self.folder / f"{self.key}{PIECES}{facts[:16]}"))

    def facts(self, inputs: Mapping[str, str]) -> str:
        """Digest all that the outputs depend on; *inputs* are SHA-256 by name."""
        return facts_of(self.parameters, inputs)


def facts_of(parameters: Mapping[str, str], inputs: Mapping[str, str]) -> str:
    """Digest parameters, as canonical JSON by name, and inputs, as SHA-256 by name."""
    return digest_of({"parameters": dict(parameters), "inputs": dict(inputs)})


def built_in(
    hub: Hub,
    kind: str,
    axes: Mapping[str, str],
    inputs: Sequence[Input | str],
    outputs: Sequence[str],
    **values: Any,
) -> Stage:
    """Give a stage of ptyrun's own.

    Parameters
    ----------
    hub : Hub
    kind : str
    axes : mapping
        With the kind they make the stage's name.
    inputs, outputs : sequence
        As paths below the hub.
    **values
        Parameters, as plain JSON values.
    """
    files = tuple(Input(i, hub.path(i)) if isinstance(i, str) else i for i in inputs)
    named = [f"dose_{value}" if axis == "dose" else value for axis, value in axes.items()]
    texts = {name: canonical_json(value) for name, value in values.items()}
    return Stage("-".join([kind, *named]), kind, files, tuple(outputs), texts, axes)

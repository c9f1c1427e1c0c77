"""What is a stage of ptyrun's own given, to work with?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptyrun.engine.window import Window
from ptyrun.errors import PtyrunError, UnfinishedError
from ptyrun.host.typed_json import parse
from ptyrun.study.hub import Hub
from ptyrun.study.stage import Stage


@dataclass(frozen=True)
class Task:
    """One stage at work: what a stage of ptyrun's own is given.

    ``pieces`` is a folder for what later windows need not make again; ``inputs`` are
    SHA-256 by name, ``trusted`` the arms whose models may run code of their own.
    """

    stage: Stage
    hub: Hub
    window: Window
    pieces: Path
    inputs: Mapping[str, str]
    trusted: tuple[str, ...] = ()

    def only(self, role: str) -> Path:
        """Where the one input of that role lies."""
        (path,) = (each.path for each in self.stage.inputs if each.role == role)
        return path

    def input(self, name: str) -> Path:
        """Where the input called *name* lies."""
        return next(each.path for each in self.stage.inputs if each.name == name)

    def value(self, name: str) -> Any:
        """What the parameter called *name* says."""
        return parse(self.stage.parameters[name])

    def outputs(self) -> tuple[Path, ...]:
        """Where the outputs belong."""
        return tuple(self.hub.path(name) for name in self.stage.outputs)


class StageFailedError(PtyrunError):
    """A stage did not become what it should; the reason says why."""


class TooShortError(UnfinishedError):
    """What is left of a window is too short for a stage's next step; ``needed_s`` would do."""

    def __init__(self, what: str, why: str, do: str, needed_s: float) -> None:
        super().__init__(what, why, do)
        self.needed_s = needed_s


Work = Callable[[Task], None]

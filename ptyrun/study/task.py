"""What is a stage of ptyrun's own given, to work with?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptyrun.engine.window import Window
from ptyrun.host.typed_json import parse
from ptyrun.study.hub import Hub
from ptyrun.study.stage import Stage


@dataclass(frozen=True)
class Task:
    """One stage at work: what a stage of ptyrun's own is given.

    ``pieces`` is a folder for what later windows need not make again; ``inputs`` are
    SHA-256 by name.
    """

    stage: Stage
    hub: Hub
    window: Window
    pieces: Path
    inputs: Mapping[str, str]

    def input(self, name: str) -> Path:
        """Where the input called *name* lies."""
        return next(each.path for each in self.stage.inputs if each.name == name)

    def value(self, name: str) -> Any:
        """What the parameter called *name* says."""
        return parse(self.stage.parameters[name])

    def outputs(self) -> tuple[Path, ...]:
        """Where the outputs belong."""
        return tuple(self.hub.path(name) for name in self.stage.outputs)


Work = Callable[[Task], None]

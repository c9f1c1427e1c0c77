"""What does the process do that trains or reconstructs? It is fenced in, works, and leaves arrays.

Run as a program of its own with the descriptor of its line to the stage. It imports next to nothing
until it is confined: a thread that lives by then stays free.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ptyrun.child.lines import MAX_TOLD_BYTES, Lines, encoded, receive, send
from ptyrun.child.server import fenced

TYPE_CHECKING = False  # typing's own costs an import
if TYPE_CHECKING:
    from typing import Any

    from ptyrun.study.task import Task


def main() -> None:
    """Do one thing; what Python does when it ends is left out."""
    control = int(sys.argv[1])
    lines = Lines(MAX_TOLD_BYTES)
    if (first := receive(control, lines)) is not None:
        send(control, encoded(fenced(first)))
    if (message := receive(control, lines)) is not None:
        send(control, encoded({"event": "began"}))
        send(control, _answer(message))
        receive(control, lines)  # until the stage is gone
    os._exit(0)


def _answer(message: dict[str, Any]) -> bytes:
    from ptyrun.child.answers import line_of

    try:
        return encoded(_made(message))
    except BaseException as error:
        return line_of(error)


def _made(message: dict[str, Any]) -> dict[str, Any]:
    import importlib

    from ptyrun.models.predictors import in_foreign_code
    from ptyrun.study.foreign import MADE
    from ptyrun.training.checkpoints import packed

    task = _task(message)
    module, _, name = message["deed"].partition(":")
    deed = getattr(importlib.import_module(module), name)
    folder = task.pieces / MADE
    with in_foreign_code():
        found = deed(task, folder)
    (folder / MADE).write_bytes(packed(found.arrays, task.pieces.name))
    return {"event": "made", "texts": list(found.texts)}


def _task(message: dict[str, Any]) -> Task:
    from ptyrun.engine.window import Window, counted_from_now
    from ptyrun.study.hub import Hub
    from ptyrun.study.stage import Input, Stage
    from ptyrun.study.task import Task

    told = message["stage"]
    inputs = tuple(Input(**{**each, "path": Path(each["path"])}) for each in told["inputs"])
    texts = {name: tuple(told[name]) for name in ("outputs", "command")}
    stage = Stage(**{**told, **texts, "inputs": inputs})
    remaining_s = message["remaining_s"]
    with counted_from_now():
        window = Window(None if remaining_s is None else max(remaining_s, 1e-9))
    return Task(stage, Hub(Path(message["hub"])), window, Path(message["pieces"]), {})


if __name__ == "__main__":
    main()

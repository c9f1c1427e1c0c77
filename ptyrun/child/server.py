"""What does the process do that a predictor lives in? It is fenced in, loads it and answers.

Run as a program of its own with the descriptors of its line to the session and of the memory that
both see. It imports next to nothing until it is confined: a thread that lives by then stays free.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from ptyrun.child.lines import MAX_TEXT, MAX_TOLD_BYTES, Lines, encoded, receive, send
from ptyrun.host import confinement

TYPE_CHECKING = False  # typing's own costs an import
if TYPE_CHECKING:
    from typing import Any

    from ptyrun.child.arrays import Layout, SharedArrays
    from ptyrun.models.predictors import ModelRequest, Predictor

OPEN_FILES = 4096
FILE_BYTES = 4 << 30


def main() -> None:
    """Answer until the session is gone; what Python does when it ends is left out."""
    control, memory = int(sys.argv[1]), int(sys.argv[2])
    lines = Lines(MAX_TOLD_BYTES)
    if (first := receive(control, lines)) is not None:
        send(control, encoded(fenced(first)))
        _Server(control, memory).serve(lines)
    os._exit(0)


def fenced(told: dict[str, Any]) -> dict[str, Any]:
    """Fence this process in as it is told; give the answer."""
    confinement.limit(open_files=OPEN_FILES, file_bytes=FILE_BYTES)
    if not told["confined"]:
        return {"event": "fenced", "abi": 0, "why_not": "", "unfit": ""}
    fence = confinement.Fence(
        reads=tuple(map(Path, told["reads"])),
        writes=tuple(map(Path, told["writes"])),
        gpus=True,
    )
    try:
        found = confinement.confine(fence)
    except Exception as error:  # whatever is in the way: not confined is said, and no failure
        found = confinement.Confinement(0, f"{type(error).__name__}: {error}")
    unfit = _fault_of_cuda() if found.abi and told["cuda"] else ""
    return {
        "event": "fenced",
        "abi": found.abi,
        "why_not": found.why_not[:MAX_TEXT],
        "unfit": unfit,
    }


def _fault_of_cuda() -> str:
    """Say why no GPU can be used behind the fence: frameworks would take the CPU in silence."""
    import ctypes

    try:
        code = ctypes.CDLL("libcuda.so.1").cuInit(0)
    except OSError:
        return ""  # no driver for programs: nothing that the fence has to do with
    return f"CUDA does not start inside it (error {code})" if code else ""


class _Server:
    """Holds one predictor at a time."""

    def __init__(self, control: int, memory: int) -> None:
        self._control = control
        self._memory = memory
        self._predictor: Predictor | None = None
        self._layout: Layout | None = None
        self._arrays: SharedArrays | None = None

    def serve(self, lines: Lines) -> None:
        """Answer what the session asks, one thing after the other."""
        from ptyrun.child.answers import line_of

        asked: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "import": self._import,
            "open": self._open,
            "predict": self._predict,
            "close": self._close,
        }
        while (message := receive(self._control, lines)) is not None:
            send(self._control, encoded({"event": "began"}))
            try:
                answer = encoded(asked[message["do"]](message))
            except BaseException as error:
                answer = line_of(error)
            send(self._control, answer)

    def _import(self, message: dict[str, Any]) -> dict[str, Any]:
        """Import what takes long, so that it is there when the model is named."""
        from ptyrun.models.predictors import find, in_foreign_code

        with in_foreign_code():
            find(message["backend"]).load()
        return {"event": "imported"}

    def _open(self, message: dict[str, Any]) -> dict[str, Any]:
        from dataclasses import asdict

        from ptyrun.child.arrays import Layout
        from ptyrun.models.predictors import ModelRequest, open_predictor

        self._close({})  # of a model that was asked for otherwise
        asked = message["request"]
        request: ModelRequest = ModelRequest(**{**asked, "path": Path(asked["path"])})
        self._predictor = open_predictor(message["backend"], request)
        batch_items = int(self._predictor.batch_items)
        self._layout = Layout(batch_items, request.patch_px, request.gridsize**2)
        self._arrays = None
        return {
            "event": "opened",
            "batch_items": batch_items,
            "card": asdict(self._predictor.card),
        }

    def _predict(self, message: dict[str, Any]) -> dict[str, Any]:
        from ptyrun.child.arrays import SharedArrays
        from ptyrun.models.predictors import in_foreign_code

        assert self._predictor is not None
        assert self._layout is not None
        if self._arrays is None:
            self._arrays = SharedArrays(self._memory, self._layout)
        given = self._arrays
        with in_foreign_code():
            patches = self._predictor.predict(given.diffraction, given.local_offsets_px)
        shape, dtype = tuple(patches.shape), str(patches.dtype)
        if (shape, dtype) == (given.patches.shape, "complex64"):
            given.patches[...] = patches
        return {"event": "patches", "shape": list(shape), "dtype": dtype[:40]}

    def _close(self, _message: dict[str, Any]) -> dict[str, Any]:
        from ptyrun.models.predictors import in_foreign_code

        predictor, self._predictor = self._predictor, None
        if predictor is not None:
            with in_foreign_code():
                predictor.close()
        return {"event": "closed"}


if __name__ == "__main__":
    main()

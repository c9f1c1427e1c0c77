"""Trainers and an algorithm that do harm, as far as they can: which, their settings tell."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.reconstruction.epie import Epie
from ptyrun.reconstructors import Found
from ptyrun.trainers import TrainingRequest
from tests.trainers import PixelTrainer

BAIT = "FOREIGN_BAIT"  # the variable that names a file which is none of theirs

HARMS: dict[str, Callable[[Path], object]] = {
    "read": lambda bait: bait.read_bytes(),
    "list": lambda bait: os.listdir(bait.parent),  # noqa: PTH208
    "write": lambda bait: bait.write_bytes(b""),
    "delete": lambda bait: bait.unlink(),
    "create": lambda bait: bait.with_suffix(".new").touch(),
    "link": lambda bait: os.link(bait, Path(os.environ["TMPDIR"]) / "link"),
    "signal": lambda bait: os.kill(os.getppid(), 0),
}
FROM_ABI = {"signal": 6}


def deeds() -> list[int]:
    """1 for each harm that could be done."""
    bait, found = Path(os.environ[BAIT]), []
    for deed in HARMS.values():
        try:
            deed(bait)
            found.append(1)
        except OSError:
            found.append(0)
    return found


class HarmfulTrainer(PixelTrainer):
    """Does at its third step, or when it saves, what the setting ``does`` says."""

    def __init__(self, request: TrainingRequest) -> None:
        self.does = request.settings.get("does", "")
        super().__init__(
            TrainingRequest(request.examples, request.epochs, request.seed, request.threads)
        )

    @classmethod
    def open(cls, request: TrainingRequest) -> HarmfulTrainer:
        return cls(request)

    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        figures = super().step(items)
        if self.steps == 3:
            self._misbehave()
        return figures

    def _misbehave(self) -> None:
        match self.does:
            case "segfault":
                ctypes.string_at(0)
            case "leave":
                print("so it goes", flush=True)
                os._exit(0)
            case "exit":
                sys.exit(0)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(3600)
            case "garble":
                os.write(int(sys.argv[1]), b"no json\n")
                time.sleep(3600)
            case "lie":
                os.write(int(sys.argv[1]), b'{"event":"made","texts":["loss","noise"]}\n')
                time.sleep(3600)

    def save(self, path: Path) -> None:
        match self.does:
            case "harm":
                path.write_text(" ".join(map(str, deeds())))
            case "link":
                path.symlink_to("/etc/passwd")
            case "nothing":
                pass
            case "fifo":
                os.mkfifo(path)
            case _:
                super().save(path)


class HarmfulAlgorithm(Epie):
    """ePIE that tries all that at its end, and tells it as its losses."""

    algorithm = "harmful"

    def found(self) -> Found:
        found = super().found()
        return Found(found.object, found.probe, np.array(deeds(), np.float64))

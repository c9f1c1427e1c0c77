"""What is known of a scan whose file is gone?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.run import Run
from ptyrun.errors import InputError
from ptyrun.progress import Watcher
from ptyrun.ptycho.readers.opening import Scan


class NoFrames:
    """Stands in for frames that are not there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, frames: NDArray[np.int64]) -> NDArray[Any]:
        """Refuse to."""
        raise InputError(
            f"{self._path} cannot be read",
            why="it is not there",
            do="put it back, or give its new place to the command that planned the run",
        )

    def check(self) -> None:
        """Refuse to be what is asked for."""
        self.read(np.empty(0, np.int64))


def scan_or_tables(run: Run, watcher: Watcher) -> Scan:
    """The planned scan; if it is gone, what the tables of groups tell of it."""
    path = run.sources.scan
    arms = [arm for arm in run.manifest.arms if arm.n_items]
    if path.exists() or not arms:
        # Without a cache folder, because only preview/ may be written; no frame is read here.
        return run.open_scan(None)
    watcher.note(f"{path} is not there: nothing is measured, and patches are placed as planned")
    tables = [ArmIndex.read(run.paths, arm).positions_px[:].reshape(-1, 2) for arm in arms]
    return Scan(path, np.concatenate(tables), arms[0].item_shape[0], NoFrames(path), False)

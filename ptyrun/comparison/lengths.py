"""Do the names that a run writes fit what the system takes? Seen before any work."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from ptyrun.comparison.inputs import OutputFolderError

MOST_IN_A_PATH, MOST_IN_A_NAME = 4095, 255  # bytes
# What a run adds: arrays.zarr/index/<arm>/normalisation/zarr.json and a partial's ending, or the
# time at which it was set aside.
_BELOW, _ASIDE = 100, 32


def check(folder: Path, arms: Collection[str]) -> None:
    """See that the longest name below *folder* still fits.

    Raises
    ------
    OutputFolderError
        If it does not.
    """
    path = os.fsencode(folder.absolute())
    for found, kind, most in (
        (len(path) + _BELOW + max(map(len, arms), default=0), "path", MOST_IN_A_PATH),
        (len(os.fsencode(folder.name)) + _ASIDE, "name", MOST_IN_A_NAME),
    ):
        if found > most:
            raise OutputFolderError(
                f"the {kind} of the run's folder is too long: {folder.name[:40]}…",
                why=f"with what a run adds to it, it has {found} bytes; the system takes {most}",
                do="choose a shorter --output-dir",
            )

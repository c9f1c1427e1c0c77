"""Finalize that dies at any change of the disk, and is called again."""

from __future__ import annotations

import itertools
import shutil
import sys
from pathlib import Path

import pytest

from tests.engine.children import KILLED, die_at_changes, spawn
from tests.studies import content

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="dies by /proc and os._exit, on Linux"
)

POINTS = (20, 60, 150, 300)
COMPUTED = {"arrays.zarr", "cache", "claims", "ledger", "logs", "manifest.json", "state.zarr"}


def finalize_and_die(folder: Path, survives: int, torn: bool) -> None:
    from ptyrun.stages import finalize

    die_at_changes(folder, itertools.count(survives, -1), torn)
    finalize.finalize(folder)


def test_a_finalize_killed_anywhere_and_called_again_leaves_the_same_results(
    complete_run: Path, tmp_path: Path
) -> None:
    from ptyrun.stages import finalize

    victims = {}
    for point in POINTS:
        victims[point] = Path(shutil.copytree(complete_run, tmp_path / f"victim-{point}"))
        for path in victims[point].iterdir():
            if path.is_dir() and path.name not in COMPUTED:
                shutil.rmtree(path)
            elif path.name not in COMPUTED:
                path.unlink()
    children = {n: spawn(finalize_and_die, victims[n], n, n % 60 == 0) for n in POINTS}
    for point, child in children.items():
        child.join(120)
        assert child.exitcode == KILLED, f"crash point {point}"
        finalize.finalize(victims[point])
        assert content(victims[point]) == content(complete_run), f"crash point {point}"

"""Finalize that dies at any change of the disk, over good results, and is called again."""

from __future__ import annotations

import itertools
import shutil
import sys
from pathlib import Path

import pytest

from ptyrun.comparison import publishing
from ptyrun.host import checksums
from ptyrun.paths import RunPaths
from tests.engine.children import KILLED, die_at_changes, spawn
from tests.studies import content

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="dies by /proc and os._exit, on Linux"
)

# Of some six hundred changes; the test of `Publication` dies before each of its own.
STRIDES = (280, 40)


def finalize_and_die(folder: Path, survives: int, torn: bool) -> None:
    from ptyrun.stages import finalize

    die_at_changes(folder, itertools.count(survives, -1), torn)
    finalize.finalize(folder, force=True)


@pytest.mark.parametrize("stride", STRIDES)
def test_a_finalize_killed_anywhere_leaves_good_results_and_called_again_the_same(
    stride: int, complete_run: Path, tmp_path: Path
) -> None:
    from ptyrun.stages import finalize

    deaths = pending = 0
    expected = content(complete_run)
    for point in itertools.count(stride // 2, stride):
        victim = Path(shutil.copytree(complete_run, tmp_path / f"victim-{point}"))
        child = spawn(finalize_and_die, victim, point, point % 4 == 0)
        child.join(300)
        assert child.exitcode in (0, KILLED), f"crash point {point}"
        deaths += child.exitcode == KILLED
        is_pending = publishing.results(RunPaths(victim)).is_pending
        pending += is_pending
        if not is_pending:
            assert list(checksums.problems(victim)) == [], f"crash point {point}"
            assert content(victim) == expected, f"crash point {point}"
        finalize.finalize(victim)
        assert list(checksums.problems(victim)) == [], f"crash point {point}"
        assert content(victim) == expected, f"crash point {point}"
        assert not (victim / "unpublished").exists()
        shutil.rmtree(victim)
        if child.exitcode == 0:
            break
    assert deaths >= 480 // stride, "the hook saw too few changes: the test no longer bites"

"""How many windows does a full comparison take, and what of it is not prediction?

Two networks of a stated cost on the reference study's full test split and on a scan of 891 frames,
``ptyrun compare`` called again and again with the study's window.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import stated
from benchmarks.figures import Figure, Scale

WINDOW_S = 170.0
PATCH_PX = 128
SIZES = (891, 5216)
# Stated: 40 ms a group is a small CPU's, so that the full split takes several windows.
ITEM_S = 0.04
QUICK_FRAMES, QUICK_WINDOW_S = 96, 20.0
MOST_WINDOWS = 60
INCOMPLETE = 75
AIM_PERCENT = 25.0


@dataclass(frozen=True)
class Called:
    """What all windows of one comparison took together."""

    windows: int
    wall_s: float
    cpu_s: float
    predicting_s: float

    @property
    def other_percent(self) -> float:
        """Share of the wall time that is not prediction."""
        return 100 * (1 - self.predicting_s / self.wall_s)


def compared(folder: Path, n_frames: int, window_s: float) -> Called:
    """Call ``ptyrun compare`` until it is complete."""
    folder.mkdir()
    stated.offer(folder / "site")
    scan = stated.write_scan(folder / "scan.npz", n_frames, PATCH_PX)
    models = [
        stated.write_model(folder / name, item_s=ITEM_S, gridsize=gridsize)
        for name, gridsize in (("pinn", 2), ("baseline", 1))
    ]
    words = [sys.executable, "-P", "-m", "ptyrun", "compare", "--quiet"]
    words += [f"--pinn_dir={models[0]}", f"--baseline_dir={models[1]}", f"--test_data={scan}"]
    words += [f"--output_dir={folder / 'run'}", f"--window={window_s}s"]
    words += ["--pinn-chunk-size=256", "--baseline-chunk-size=256"]
    words += ["--pinn-predict-batch-size=16", "--baseline-predict-batch-size=16"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun_s = time.perf_counter()
    code, number = INCOMPLETE, 0
    while code == INCOMPLETE and number < MOST_WINDOWS:
        number += 1
        code = subprocess.run(
            words, env=os.environ, stdout=subprocess.DEVNULL, check=False
        ).returncode
    assert code == 0, f"exit code {code} after {number} windows"
    wall_s = time.perf_counter() - begun_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # Each frame is a group of the first arm; the second one has those frames that groups name.
    from ptyrun.comparison.run import Run

    n_groups = sum(arm.n_items for arm in Run(folder / "run").manifest.arms)
    return Called(number, wall_s, cpu_s, ITEM_S * n_groups)


def measure(scale: Scale) -> list[Figure]:
    """Count windows, and print what is not prediction."""
    found = []
    sizes = (QUICK_FRAMES,) if scale.quick else SIZES
    window_s = QUICK_WINDOW_S if scale.quick else WINDOW_S
    for n_frames in sizes:
        called = compared(scale.scratch / f"{n_frames}", n_frames, window_s)
        what = f"{n_frames} groups of {PATCH_PX} px"
        least = called.predicting_s / window_s
        found += [
            Figure(
                f"windows of {window_s:.0f} s, {what}",
                called.windows,
                "windows",
                note=f"prediction alone would fill {least:.2f}, at {1e3 * ITEM_S:.0f} ms a group",
            ),
            Figure(
                f"not prediction, {what}",
                called.other_percent,
                "%",
                AIM_PERCENT if n_frames == max(SIZES) else None,
                note=f"{called.wall_s:.0f} s in all, {called.predicting_s:.0f} s of prediction; "
                f"{called.cpu_s:.0f} s of processors, of which the predictor takes none",
            ),
        ]
    return found

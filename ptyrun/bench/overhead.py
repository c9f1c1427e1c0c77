"""What does a durable run cost over the bare predictor on the same batches?"""

from __future__ import annotations

import itertools
import shutil
import statistics
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.bench import dense, studies
from ptyrun.bench.figures import Figure, Scale, compared, in_turns, summed_up
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import ExitCode
from ptyrun.paths import RunPaths
from ptyrun.predictors import ModelRequest, open_predictor
from ptyrun.stages import plan, run
from ptyrun.stages.assembly import open_planned_scan
from ptyrun.stages.index import ArmIndex
from ptyrun.stages.work import read_groups

OVERHEAD_AIM = 1.05
PATCH_PX = 128
CHUNK_GROUPS = 160
BATCH_GROUPS = 16
# The reference study's PINN takes 6 to 10 ms on two cores for groups of 64 px. The other one is a
# predictor so quick that reading its input alone keeps a core busy for a tenth of the time.
AS_LONG_AS_A_PINN_S = 6e-3
QUICK_S = 1.5e-3
TRIAL_LAYERS = 32

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


def measure(scale: Scale) -> list[Figure]:
    """Time ``ptyrun run`` without its start-up against the predictor alone, inputs in memory."""
    return [
        durable_over_bare(scale, scale.scratch / "pinn", AS_LONG_AS_A_PINN_S, OVERHEAD_AIM),
        durable_over_bare(scale, scale.scratch / "quick", QUICK_S, None),
    ]


def durable_over_bare(scale: Scale, folder: Path, group_s: float, aim: float | None) -> Figure:
    """Compare the two for a network that takes about *group_s* for a group on this machine."""
    n_groups = 2 * CHUNK_GROUPS if scale.quick else 5 * CHUNK_GROUPS
    study = studies.make_study(
        folder / "study", n_frames=n_groups, patch_px=PATCH_PX, n_layers=layers_for(group_s)
    )
    folders = (folder / f"run-{number}" for number in itertools.count())

    def planned() -> RunPaths:
        config = study.config(next(folders), chunk_groups=CHUNK_GROUPS, batch_groups=BATCH_GROUPS)
        plan.plan(config)
        return RunPaths(config.output_dir)

    waiting = [planned() for _ in range(scale.rounds)]
    batches = all_batches(waiting[0])
    request = ModelRequest(study.model / "dense.json", PATCH_PX, 2, BATCH_GROUPS)
    predictor = open_predictor(dense.BACKEND, request)

    def bare() -> None:
        for diffraction, local_offsets_px in batches:
            predictor.predict(diffraction, local_offsets_px)

    def durable() -> None:
        paths = waiting.pop()
        assert run.run(paths.root).stop is ExitCode.COMPLETE
        shutil.rmtree(paths.arrays)

    seconds = in_turns({"bare": bare, "durable": durable}, scale.rounds)
    bare_s = summed_up("bare", seconds["bare"], "s").value
    return compared(
        f"durable run / bare predictor of {1e3 * bare_s / n_groups:.1f} ms per group",
        seconds["durable"],
        seconds["bare"],
        aim,
        f"{n_groups} groups of {PATCH_PX} px, chunks of {CHUNK_GROUPS}; bare {bare_s:.1f} s",
    )


def layers_for(group_s: float) -> int:
    """As many layers as take about *group_s* for one group."""
    trial = dense.DensePredictor(BATCH_GROUPS, PATCH_PX, TRIAL_LAYERS)
    inputs = np.ones((BATCH_GROUPS, PATCH_PX, PATCH_PX, 4), np.float32)
    seconds = in_turns({"trial": lambda: trial.predict(inputs, inputs)}, rounds=9)["trial"]
    return max(1, round(TRIAL_LAYERS * group_s * BATCH_GROUPS / statistics.median(seconds)))


def all_batches(paths: RunPaths) -> list[Batch]:
    """Everything that the predictor will be given, in memory."""
    manifest = Manifest.load(paths.manifest)
    (arm,) = manifest.arms
    table = ArmIndex.read(paths, arm)
    scan = open_planned_scan(manifest, paths)
    inputs = [
        read_groups(scan, table, range(first, min(first + BATCH_GROUPS, arm.n_items)))
        for first in range(0, arm.n_items, BATCH_GROUPS)
    ]
    return [(each.diffraction, each.local_offsets_px) for each in inputs]

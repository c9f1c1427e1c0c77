"""What does a durable run cost over the bare predictor on the same batches?"""

from __future__ import annotations

import itertools
import shutil

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
N_LAYERS = 64  # about 5 ms per group on two quiet cores

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


def measure(scale: Scale) -> list[Figure]:
    """Time ``ptyrun run`` without its start-up against the predictor alone, inputs in memory."""
    n_groups = 2 * CHUNK_GROUPS if scale.quick else 5 * CHUNK_GROUPS
    study = studies.make_study(
        scale.scratch / "study", n_frames=n_groups, patch_px=PATCH_PX, n_layers=N_LAYERS
    )
    folders = (scale.scratch / f"run-{number}" for number in itertools.count())

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
    return [
        compared(
            "durable run / bare predictor",
            seconds["durable"],
            seconds["bare"],
            OVERHEAD_AIM,
            f"{n_groups} groups of {PATCH_PX} px, chunks of {CHUNK_GROUPS}; "
            f"bare {bare_s:.1f} s, {1e3 * bare_s / n_groups:.1f} ms per group",
        )
    ]


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

"""What does a durable run cost over the bare predictor on the same batches?"""

from __future__ import annotations

import itertools
import json
import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import dense, studies
from benchmarks.figures import Figure, Scale, compared, in_turns
from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.patch_work import read_groups
from ptyrun.comparison.run import Run
from ptyrun.errors import ExitCode
from ptyrun.models.predictors import ModelRequest, open_predictor
from ptyrun.paths import RunPaths
from ptyrun.stages import plan, run

OVERHEAD_AIM = 1.05
CHUNK_GROUPS = 160
BATCH_GROUPS = 16
TRIAL_LAYERS = 16

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Load:
    """How large groups are, how long the predictor takes for one, and how many there are."""

    patch_px: int
    group_s: float
    n_chunks: int
    aim: float | None = None


LOADS = {
    # As the reference study's PINN does on two cores (`make bench BENCH=comparison`).
    "pinn": Load(patch_px=64, group_s=5e-3, n_chunks=10, aim=OVERHEAD_AIM),
    # Sixteen times the bytes per second: reading alone keeps a core busy for a tenth of the time.
    "quick": Load(patch_px=128, group_s=1.25e-3, n_chunks=10),
}


def measure(scale: Scale) -> list[Figure]:
    """Time ``ptyrun run`` without its start-up against the predictor alone, inputs in memory."""
    return [durable_over_bare(scale, scale.scratch / name, load) for name, load in LOADS.items()]


def durable_over_bare(scale: Scale, folder: Path, load: Load) -> Figure:
    """Compare the two for a network that takes as long as *load* says on this machine.

    The bare predictor is loaded already; so what the durable run takes to start and load its own,
    once in each window, stands in the note.
    """
    n_groups = CHUNK_GROUPS * (2 if scale.quick else load.n_chunks)
    study = studies.make_study(
        folder / "study", n_frames=n_groups, patch_px=load.patch_px, n_layers=layers_for(load)
    )
    folders = (folder / f"run-{number}" for number in itertools.count())

    def planned() -> RunPaths:
        config = study.config(next(folders), chunk_groups=CHUNK_GROUPS, batch_groups=BATCH_GROUPS)
        plan.plan(config)
        return Run(config.output_dir).paths

    waiting = [planned() for _ in range(scale.rounds)]
    batches = all_batches(waiting[0])
    request = ModelRequest(study.model / "dense.json", load.patch_px, 2, BATCH_GROUPS)
    predictor = open_predictor(dense.BACKEND, request)

    def bare() -> None:
        for diffraction, local_offsets_px in batches:
            predictor.predict(diffraction, local_offsets_px)

    loading_s: list[float] = []

    def durable() -> None:
        paths = waiting.pop()
        assert run.run(paths.root).stop is ExitCode.COMPLETE
        loading_s.append(waited_for_predictor_s(paths))
        shutil.rmtree(paths.arrays)

    seconds = in_turns({"bare": bare, "durable": durable}, scale.rounds)
    bare_s = statistics.median(seconds["bare"])
    return compared(
        f"durable run / bare predictor of {1e3 * bare_s / n_groups:.1f} ms per group",
        [whole - loading for whole, loading in zip(seconds["durable"], loading_s, strict=True)],
        seconds["bare"],
        load.aim,
        f"{n_groups} groups of {load.patch_px} px, chunks of {CHUNK_GROUPS}; bare {bare_s:.1f} s; "
        f"besides, {statistics.median(loading_s):.1f} s until the predictor was loaded",
    )


def waited_for_predictor_s(paths: RunPaths) -> float:
    """How long the sessions waited until their predictors were loaded, as the ledger says."""
    lines = (
        json.loads(line)
        for each in paths.ledger.glob("*.jsonl")
        for line in each.read_text(encoding="ascii").splitlines()
    )
    return float(sum(line["seconds"] for line in lines if line["event"] == "arm_open"))


def layers_for(load: Load) -> int:
    """As many layers as take about as long for one group."""
    trial = dense.DensePredictor(BATCH_GROUPS, load.patch_px, TRIAL_LAYERS)
    inputs = np.ones((BATCH_GROUPS, load.patch_px, load.patch_px, 4), np.float32)
    seconds = in_turns({"trial": lambda: trial.predict(inputs, inputs)}, rounds=9)["trial"]
    return max(1, round(TRIAL_LAYERS * load.group_s * BATCH_GROUPS / statistics.median(seconds)))


def all_batches(paths: RunPaths) -> list[Batch]:
    """Everything that the predictor will be given, in memory."""
    planned = Run(paths.root)
    (arm,) = planned.manifest.arms
    table = ArmIndex.read(paths, arm)
    scan = planned.scan
    inputs = [
        read_groups(scan, table, range(first, min(first + BATCH_GROUPS, arm.n_items)))
        for first in range(0, arm.n_items, BATCH_GROUPS)
    ]
    return [(each.diffraction, each.local_offsets_px) for each in inputs]

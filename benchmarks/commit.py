"""What does it cost to commit a chunk, over a raw write and fsync of the same bytes?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import ptyrun
from benchmarks import ledgers
from benchmarks.figures import Figure, Scale, compared, in_turns, summed_up
from ptyrun.comparison.run import Run
from ptyrun.engine import store
from ptyrun.engine.arm_plan import PREDICTOR, ArmPlan
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.session_ledger import begin
from ptyrun.host import durable
from ptyrun.host.processes import Process

COMMIT_AIM = 1.3
# Items per chunk, side of a patch, chunks committed together.
CUTS = ((256, 128, 1), (160, 128, 1), (160, 64, 1), (1, 16, 64))


def measure(scale: Scale) -> list[Figure]:
    """Commit whole chunks as a run does: checksum, write, sync, name in the ledger, sync."""
    return [
        figure(scale, *cut, aim=COMMIT_AIM if cut is CUTS[0] else None)
        for cut in (CUTS[1:] if scale.quick else CUTS)
    ]


@dataclass(frozen=True)
class Turns:
    """Seconds of each raw write and of each commit of the same bytes."""

    seconds: Mapping[str, tuple[float, ...]]
    mib: float


def figure(
    scale: Scale, chunk_items: int, patch_px: int, together: int, aim: float | None
) -> Figure:
    """Measure one cut; the chunks of a group commit lie beside one raw file of all their bytes."""
    measured = turns(scale, chunk_items, patch_px, together)
    raw_ms = 1e3 * summed_up("raw", measured.seconds["raw"], "s").value
    chunks = f"{together} chunks" if together > 1 else "a chunk"
    return compared(
        f"commit of {chunks} of {measured.mib / together:.3g} MiB / raw write + fsync",
        measured.seconds["commit"],
        measured.seconds["raw"],
        aim,
        f"raw {raw_ms:.1f} ms" + (" in one file" if together > 1 else ""),
    )


def turns(scale: Scale, chunk_items: int, patch_px: int, together: int) -> Turns:
    """Commit *together* chunks and write their bytes raw, in turns."""
    n_rounds = 4 * scale.rounds
    shape = (patch_px, patch_px)
    n_items = chunk_items * together * n_rounds
    plan = ArmPlan("pinn", "PINN", PREDICTOR, n_items, chunk_items, shape, "complex64")
    root = scale.scratch / f"run-{chunk_items}-{patch_px}-{together}"
    root.mkdir()
    paths, manifest = Run(root).paths, Manifest(shared={}, arms=(plan,))
    store.create_arrays(paths, manifest)
    session = begin(Ledger(paths, manifest), None, Process.current(), ptyrun.__version__)
    writer = store.ChunkWriter(paths, plan, "none")
    random = np.random.default_rng(0)
    outputs = random.standard_normal((chunk_items * together, *shape), np.float32) + 0j
    raw = outputs.astype(np.complex64).tobytes()
    numbers = itertools.count()

    def commit() -> None:
        first = together * next(numbers)
        parts = np.split(outputs, together)
        stored, _ = writer.write({first + number: part for number, part in enumerate(parts)})
        session.append([ledgers.commit(plan, chunk, each.length) for chunk, each in stored.items()])

    raw_folder = scale.scratch / f"raw-{chunk_items}-{patch_px}-{together}"
    raw_folder.mkdir()

    def raw_write() -> None:
        durable.write_partial(raw_folder / "chunk", [memoryview(raw)])

    seconds = in_turns({"raw": raw_write, "commit": commit}, n_rounds)
    writer.close()
    session.abandon()
    return Turns(seconds, len(raw) / 2**20)

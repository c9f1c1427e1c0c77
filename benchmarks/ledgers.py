"""What does a run look like in which very many chunks are committed?"""

from __future__ import annotations

from pathlib import Path

import ptyrun
from ptyrun.comparison.run import Run
from ptyrun.engine import ledger_cache, store
from ptyrun.engine.arm_plan import PREDICTOR, ArmPlan, chunk_key
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import Closed, Committed
from ptyrun.engine.session_ledger import begin
from ptyrun.errors import ExitCode
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths

ARM = "pinn"
CHUNKS_PER_SESSION = 50_000
CHUNKS_PER_APPEND = 1000
ITEM_PX = 2
EVERY_NTH_MISSING = 1000


def planned_run(root: Path, n_chunks: int) -> tuple[RunPaths, Manifest]:
    """Plan a run of tiny chunks."""
    paths = Run(root).paths
    plan = ArmPlan(ARM, "PtychoPINN", PREDICTOR, n_chunks, 1, (ITEM_PX, ITEM_PX), "complex64")
    manifest = Manifest(shared={}, arms=(plan,))
    root.mkdir(parents=True)
    store.create_arrays(paths, manifest)
    manifest.save(paths.manifest)
    return paths, manifest


def run_with_commits(root: Path, n_chunks: int, *, with_files: bool) -> tuple[RunPaths, Manifest]:
    """Write the ledger of a run that lacks every thousandth chunk, and the chunks' files if asked.

    What the ledger says is what the engine itself would have written, line by line.
    """
    paths, manifest = planned_run(root, n_chunks)
    plan = manifest.arms[0]
    done = [chunk for chunk in range(n_chunks) if chunk % EVERY_NTH_MISSING]
    length = 8 * ITEM_PX**2 + store.CRC_BYTES
    if with_files:
        for chunk in done:
            (paths.arrays / chunk_key(plan, chunk)).write_bytes(bytes(length))
    ledger = Ledger(paths, manifest)
    for first in range(0, len(done), CHUNKS_PER_SESSION):
        session = begin(ledger, 170.0, Process.current(), ptyrun.__version__)
        chunks = done[first : first + CHUNKS_PER_SESSION]
        for start in range(0, len(chunks), CHUNKS_PER_APPEND):
            block = chunks[start : start + CHUNKS_PER_APPEND]
            session.append([commit(plan, chunk, length) for chunk in block], sync=False)
        session.close(Closed(int(ExitCode.INCOMPLETE), "the window closed", len(chunks), 170.0))
    ledger_cache.save(ledger)
    return paths, manifest


def commit(plan: ArmPlan, chunk: int, length: int) -> Committed:
    """Say that *chunk* is on disk, with figures of a usual size."""
    return Committed(
        arm=plan.name,
        chunk=chunk,
        key=chunk_key(plan, chunk),
        length=length,
        crc32c="00000000",
        fingerprint=plan.fingerprint,
        attempt=1,
        seconds=0.0123,
        write_s=0.0045,
        warm=True,
        at_s=12.345,
        stats={"mean": 0.8123456789, "max": 1.2345678901, "nonzero_count": 4, "size": 4},
    )

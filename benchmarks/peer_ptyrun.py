"""The work of `peer_work`, done by ptyrun's engine: planned, claimed, committed, resumed.

Same words as `peer_work`, but for the first; 2 is the exit code where the plan on disk is another.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import peer_work
from ptyrun.comparison.run import Run
from ptyrun.config import Fact
from ptyrun.engine import runner, store
from ptyrun.engine.arm_plan import PREDICTOR, ArmPlan
from ptyrun.engine.manifest import Manifest, changes
from ptyrun.engine.opening import opened_session
from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode

ARM = "work"
BATCH_BLOCKS = 16


@dataclass(frozen=True)
class BlockWork:
    """The engine's ``Work``: blocks in, transformed blocks out."""

    source: NDArray[np.float32]
    do: peer_work.Work
    batch_items: int = BATCH_BLOCKS

    def read(self, items: range) -> NDArray[np.float32]:
        """Read blocks."""
        return np.asarray(self.source[items.start : items.stop])

    def compute(self, inputs: NDArray[np.float32], n_items: int) -> NDArray[Any]:
        """Transform them."""
        return np.asarray(self.do(inputs))

    def check(self, items: range, outputs: NDArray[Any]) -> Mapping[str, Fact]:
        """Pass all."""
        return {}

    def close(self) -> None:
        """Hold nothing."""


def main(folder: str, n_blocks: str, item_s: str, scale: str) -> int:
    """Plan, or see that the plan is the same; work; say what it took."""
    begun_s = time.perf_counter()
    root = Path(folder).resolve()
    do = peer_work.Work(float(item_s), float(scale), root / "calls")
    code = hashlib.sha256(inspect.getsource(peer_work.work).encode()).hexdigest()
    source = np.load(root / "in.npy", mmap_mode="r")
    plan = ArmPlan(
        name=ARM,
        label=ARM,
        kind=PREDICTOR,
        n_items=int(n_blocks),
        chunk_items=1,
        item_shape=source.shape[1:],
        dtype="complex64",
        facts={"code": code, "scale": float(scale)},
    )
    wanted, paths = Manifest(shared={}, arms=(plan,)), Run(root / "out").paths
    if not paths.manifest.exists():
        paths.root.mkdir()
        store.create_arrays(paths, wanted)
        wanted.save(paths.manifest)
    if changed := changes(Run(paths.root).manifest, wanted):
        print("refused:", "; ".join(map(str, changed)), file=sys.stderr)
        return int(ExitCode.USAGE)
    with opened_session(paths, Window(None), manifest=wanted) as opened:
        runner.work(opened, lambda arm, fitting: BlockWork(source, do))
    print(peer_work.took(begun_s))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

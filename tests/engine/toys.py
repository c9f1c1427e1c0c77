"""A small run whose outputs are a plain function of the item's number.

The engine counts items, so that nothing more is needed to prove what it promises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ptyrun.config import Fact
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.batches import KnownBatchLimit
from ptyrun.engine.claims import LEASE_S
from ptyrun.engine.index_arrays import IndexArray, write_index
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.opening import opened_session
from ptyrun.engine.runner import work
from ptyrun.engine.store import create_arrays
from ptyrun.engine.window import Window
from ptyrun.engine.work import OpenWork, Outcome
from ptyrun.host.clock import boot_clock_s
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths

SHAPE = (4, 4)


def outputs_of(items: range, shape: tuple[int, ...] = SHAPE, scale: float = 1.0) -> NDArray[Any]:
    """What the toy computes, item by item."""
    numbers = np.arange(items.start, items.stop, dtype=np.float32).reshape(-1, *(1 for _ in shape))
    pixels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return (scale * np.exp(1j * (numbers * 0.37 + pixels))).astype(np.complex64)


@dataclass
class ToyWork:
    """Computes `outputs_of`; may be slow, and may fail where told."""

    plan: ArmPlan
    fitting: KnownBatchLimit
    batch_items: int = 16
    compute_s: float = 0.0
    trouble: Callable[[range], None] | None = None
    computed: list[range] = field(default_factory=list)

    def read(self, items: range) -> range:
        return items

    def compute(self, inputs: range, n_items: int) -> NDArray[Any]:
        assert len(inputs) == n_items <= self.batch_items
        if self.compute_s:
            time.sleep(self.compute_s)
        if self.trouble is not None:
            self.trouble(inputs)
        self.computed.append(inputs)
        scale = float(self.plan.facts["scale"] or 0)
        # As of a network whose sums depend on the row: each item has one row of the batch, and what
        # is given past the last row has no output.
        row = inputs.start % self.batch_items
        padded = range(inputs.start - row, inputs.start - row + self.batch_items)
        return outputs_of(padded, self.plan.item_shape, scale)[row : row + n_items]

    def check(self, items: range, outputs: NDArray[Any]) -> Mapping[str, Fact]:
        return {"mean": float(np.abs(outputs).mean()), "n": len(items)}

    def close(self) -> None:
        pass


def toy_manifest(
    n_items: int = 64,
    chunk_items: int = 8,
    arms: Mapping[str, float] | None = None,
    shape: tuple[int, ...] = SHAPE,
    **shared: Fact,
) -> Manifest:
    """Plan arms (name: scale) over the same items."""
    plans = tuple(
        ArmPlan(
            name=name,
            label=name.upper(),
            kind="predictor",
            n_items=n_items,
            chunk_items=chunk_items,
            item_shape=shape,
            dtype="complex64",
            facts={"scale": scale},
            index_sha256={f"index/{name}/frames": frames(name, n_items).sha256},
        )
        for name, scale in (arms or {"one": 1.0}).items()
    )
    return Manifest({"scan_sha256": "0" * 64, **shared}, plans, {"scan": "scan.npz"})


def frames(arm: str, n_items: int) -> IndexArray:
    """A toy index table."""
    values = np.arange(4 * n_items, dtype=np.int64).reshape(n_items, 4)
    return IndexArray(f"index/{arm}/frames", values, ("group", "channel"))


def planned(folder: Path, manifest: Manifest) -> Manifest:
    """Lay the run out on disk."""
    paths = RunPaths(folder)
    create_arrays(paths, manifest)
    for arm in manifest.arms:
        write_index(paths, frames(arm.name, arm.n_items))
    manifest.save(paths.manifest)
    return manifest


def run(
    paths: RunPaths,
    manifest: Manifest,
    open_work: OpenWork,
    *,
    window: Window,
    shared: bool = False,
    lease_s: float = LEASE_S,
    crew: str = "",
    **options: Any,
) -> Outcome:
    """One session of its own: opened, worked in and closed; options as of `runner.work`."""
    for name in options.get("arms") or ():
        manifest.arm(name)
    with opened_session(
        paths, window, manifest=manifest, shared=shared, lease_s=lease_s, crew=crew
    ) as opened:
        return work(opened, open_work, **options)


def just_begun() -> Process:
    """This process as if it began now: windows count from its start, and it runs many tests."""
    return replace(Process.current(), started_s=boot_clock_s())


def session_s(folder: Path) -> float:
    """Seconds that a session without any work takes, on this machine as busy as it is."""
    planned(folder, toy_manifest())
    began_s = time.monotonic()
    toy_run(folder, max_chunks=0)
    return time.monotonic() - began_s


def toy_run(folder: Path, budget_s: float | None = None, **options: Any) -> Outcome:
    """One session on the run in *folder*; work options first, `run` options as they are."""
    how = {
        name: options.pop(name)
        for name in ("batch_items", "compute_s", "trouble")
        if name in options
    }
    manifest = Manifest.load(RunPaths(folder).manifest)
    options.setdefault("window", Window(budget_s))
    return run(RunPaths(folder), manifest, partial(ToyWork, **how), **options)


def decoded(folder: Path) -> dict[str, bytes]:
    """Decoded outputs of every arm."""
    root: Any = zarr.open_group(RunPaths(folder).arrays, mode="r")
    manifest = Manifest.load(RunPaths(folder).manifest)
    return {a.name: np.asarray(root[f"{a.name}/patches"][...]).tobytes() for a in manifest.arms}


def expected(manifest: Manifest) -> dict[str, bytes]:
    """What `decoded` must give for a complete run."""
    return {
        arm.name: outputs_of(
            range(arm.n_items), arm.item_shape, float(arm.facts["scale"] or 0)
        ).tobytes()
        for arm in manifest.arms
    }

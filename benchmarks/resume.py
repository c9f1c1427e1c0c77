"""How long does each way of `peers` take to find out that all is finished, up to a million blocks?

Blocks of 4 x 4 pixels, one to a chunk, so that a million fit on the disk. A way that would take
more time or disk to finish its blocks than is stated here is not tried, by what a tenth of them
took.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import peers
from benchmarks.figures import Figure, Scale
from benchmarks.peers import Took, Way

PX = 4
SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000), (100, 1_000)
MOST_S, MOST_GIB = 900.0, 5.0
_BLOCK_BYTES = 512  # in which the system counts what a file takes


def measure(scale: Scale) -> list[Figure]:
    """Each way in turn, from few blocks to many; Dask is left out, which begins anew."""
    sizes = [n for n in (QUICK_SIZES if scale.quick else SIZES) if n <= scale.most]
    there, missing = peers.ways(scale.scratch)
    found: list[Figure] = []
    for way in there:
        if way.name != "dask":
            found += grown(way, scale.scratch / way.name, sizes)
    return [
        *found,
        *(Figure(f"{name}: left out", 0, "", note=why) for name, why in missing.items()),
    ]


def grown(way: Way, folder: Path, sizes: list[int]) -> Iterator[Figure]:
    """Finish more and more blocks, and call again."""
    took, gib, fewer = Took(0.0, 0.0, 0.0), 0.0, 1
    for n_blocks in sizes:
        name = f"{way.name}: called again, {n_blocks:,} finished"
        if why := too_much(n_blocks / fewer * took.cpu_s, n_blocks / fewer * gib):
            yield Figure(name, 0, "", note=f"not tried: {why}, by what {fewer:,} took")
            return
        random = np.random.default_rng(3)
        peers.fresh(folder, random.standard_normal((n_blocks, PX, PX), np.float32))
        first, again = (way.done(folder, n_blocks, 0.0) for _ in range(2))
        if first is None or again is None:
            yield Figure(name, 0, "", note="its process ended in an error, or took too long")
            return
        took, gib, fewer = first, on_disk_gib(folder), n_blocks
        shutil.rmtree(folder)
        yield Figure(
            name,
            again.cpu_s,
            "s",
            note=f"of processors; {again.wall_s:.1f} s by the clock, {again.mib:.0f} MiB; making "
            f"them took {took.cpu_s:.0f} s of processors and {gib:.2g} GiB of disk",
        )


def too_much(seconds: float, gib: float) -> str:
    """Say why so much is not tried; empty if it is."""
    reasons = [
        f"{seconds:.0f} s of processors, not {MOST_S:.0f}" if seconds > MOST_S else "",
        f"{gib:.1f} GiB of disk, not {MOST_GIB:.0f}" if gib > MOST_GIB else "",
    ]
    found = " and ".join(filter(None, reasons))
    return f"it would take {found}" if found else ""


def on_disk_gib(folder: Path) -> float:
    """What files and folders take on the disk, in whole blocks of it."""
    places = [folder]
    n_blocks = 0
    while places:
        with os.scandir(places.pop()) as entries:
            for entry in entries:
                n_blocks += entry.stat(follow_symlinks=False).st_blocks
                if entry.is_dir(follow_symlinks=False):
                    places.append(Path(entry.path))
    return n_blocks * _BLOCK_BYTES / 2**30

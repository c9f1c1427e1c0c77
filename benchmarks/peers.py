"""What do other ways to work through blocks cost, and what do they leave after a kill?

The same function on the same blocks of 64 x 64 pixels, one to a chunk, one core each, in one call:
ptyrun's engine, daisy 2, cubed, ``map_blocks`` of Dask into Zarr, and a loop with ``np.save``. The
others are installed into an environment of the bench's own; what is not there is left out, with the
reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray

from benchmarks import peer_ptyrun, peer_work, python_path
from benchmarks.figures import Figure, Scale

# Package by way; what `make bench BENCH=peers` was tried with.
PACKAGES = {"daisy": "daisy==2.0.0", "cubed": "cubed==0.27.0", "dask": "dask==2026.8.0"}
ALL = ("ptyrun", "plain", *PACKAGES)
PX = 64
BLOCKS, QUICK_BLOCKS = 300, 60
FINISHED, QUICK_FINISHED = 10_000, 200
ITEM_S = 0.005
KILLED_AT = 0.5
PATIENCE_S = 3600.0
CHANGED = 2.0


@dataclass(frozen=True)
class Way:
    """How one of them is called."""

    name: str
    words: tuple[str, ...]

    def start(
        self, folder: Path, n_blocks: int, item_s: float, scale: float = 1.0
    ) -> subprocess.Popen[str]:
        """Begin to work."""
        given = (str(folder), str(n_blocks), str(item_s), str(scale))
        return subprocess.Popen(
            [*self.words, *given],
            cwd=folder,  # some write logs where they are
            env={**os.environ, "PYTHONPATH": python_path()},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def done(self, folder: Path, n_blocks: int, item_s: float, scale: float = 1.0) -> Took | None:
        """Work to the end; None where it ends in an error, or not within an hour."""
        child = self.start(folder, n_blocks, item_s, scale)
        try:
            said, _ = child.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
        if child.returncode:
            return None
        return Took(**json.loads(said.splitlines()[-1]))


@dataclass(frozen=True)
class Took:
    """What a process took, its imports left out of ``wall_s``."""

    wall_s: float
    cpu_s: float
    mib: float


def ways(folder: Path) -> tuple[list[Way], dict[str, str]]:
    """Install what is needed; give the ways there are, and why others are not."""
    own = (sys.executable, "-P")
    script = str(Path(peer_work.__file__))
    found = [
        Way("ptyrun", (*own, "-m", peer_ptyrun.__name__)),
        Way("plain", (*own, script, "plain")),
    ]
    missing = {}
    python = folder / "venv" / "bin" / "python"
    try:
        venv.create(folder / "venv", with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return found, dict.fromkeys(PACKAGES, f"no environment can be made: {error}")
    for name, package in PACKAGES.items():
        asked = [str(python), "-m", "pip", "install", "--quiet", "zarr", "numpy", package]
        installed = subprocess.run(asked, capture_output=True, text=True, check=False)
        if installed.returncode:
            missing[name] = (installed.stderr.strip().splitlines() or ["pip failed"])[-1]
        else:
            found.append(Way(name, (str(python), script, name)))
    return found, missing


def fresh(folder: Path, source: NDArray[np.float32]) -> Path:
    """Make a folder with the blocks to work on."""
    folder.mkdir(parents=True)
    np.save(folder / "in.npy", source)
    return folder


def outputs(way: Way, folder: Path, n_blocks: int) -> NDArray[np.complex64]:
    """Read what is there (n, PX, PX); NaN where a block is not, or cannot be read."""
    found = np.full((n_blocks, PX, PX), np.nan, np.complex64)
    out = folder / "out"
    if way.name == "ptyrun":
        out = out / "arrays.zarr" / peer_ptyrun.ARM / "patches"
    array = None if way.name == "plain" else zarr.open_array(out, mode="r")
    for number in range(n_blocks):
        try:
            found[number] = np.load(out / f"{number}.npy") if array is None else array[number]
        except (OSError, ValueError, RuntimeError):
            continue
    return found


def files(way: Way, folder: Path) -> Sequence[Path]:
    """Files of finished blocks."""
    out = folder / "out"
    found = [path for path in out.rglob("*") if path.is_file()] if out.exists() else []
    if way.name == "ptyrun":
        return [path for path in found if path.name.startswith("c.") and path.suffix == ".0"]
    return [path for path in found if path.suffix == ".npy" or "c" in path.relative_to(out).parts]


def killed(way: Way, folder: Path, n_blocks: int) -> None:
    """Kill it, by SIGKILL, when half of the blocks are on disk."""
    child = way.start(folder, n_blocks, ITEM_S)
    until_s = time.monotonic() + PATIENCE_S
    while child.poll() is None and len(files(way, folder)) < KILLED_AT * n_blocks:
        assert time.monotonic() < until_s
        time.sleep(0.05)
    child.kill()
    child.communicate()


def measure(scale: Scale) -> list[Figure]:
    """Each way in turn: throughput, resuming, a kill, a damaged block, a changed function."""
    n_blocks, n_finished = (
        (QUICK_BLOCKS, QUICK_FINISHED) if scale.quick else (BLOCKS, min(FINISHED, scale.most))
    )
    random = np.random.default_rng(3)
    source = random.standard_normal((max(n_blocks, n_finished), PX, PX), np.float32)
    expected = np.stack([peer_work.work(block, 0.0, 1.0) for block in source[:n_blocks]])
    there, missing = ways(scale.scratch)
    found = []
    for way in there:
        if way.name == "dask":
            n_finished = n_blocks  # it begins anew in any case
        found += [
            *costs(way, scale.scratch / way.name, source, n_blocks, n_finished),
            *care(way, scale.scratch / f"{way.name}-care", source[:n_blocks], expected),
        ]
    return [
        *found,
        *(Figure(f"{name}: left out", 0, "", note=why) for name, why in missing.items()),
    ]


def costs(
    way: Way, folder: Path, source: NDArray[np.float32], n_blocks: int, n_finished: int
) -> list[Figure]:
    """Throughput on fresh blocks, and what it takes to find out that all are finished."""
    working = fresh(folder / "working", source[:n_blocks])
    took = way.done(working, n_blocks, ITEM_S)
    finished = fresh(folder / "finished", source[:n_finished])
    first, again = (way.done(finished, n_finished, 0.0) for _ in range(2))
    if took is None or first is None or again is None:
        return [Figure(f"{way.name}: failed", 0, "", note="its process ended in an error")]
    other_ms = 1e3 * (took.cpu_s / n_blocks - ITEM_S)
    return [
        Figure(
            f"{way.name}: blocks per second",
            n_blocks / took.wall_s,
            "1/s",
            note=f"{n_blocks} blocks of {1e3 * ITEM_S:.0f} ms; {other_ms:.2f} ms of processors "
            f"beside the work, start-up included; {took.mib:.0f} MiB",
        ),
        Figure(
            f"{way.name}: called again, {n_finished:,} finished",
            again.cpu_s,
            "s",
            note=f"of processors; {again.wall_s:.1f} s by the clock, {again.mib:.0f} MiB",
        ),
    ]


def care(
    way: Way, folder: Path, source: NDArray[np.float32], expected: NDArray[np.complex64]
) -> list[Figure]:
    """Kill it half-way, go on, damage a block, go on, change the function, go on."""
    n_blocks = len(source)
    work = fresh(folder, source)
    killed(way, work, n_blocks)
    before = len(files(way, work))
    way.done(work, n_blocks, ITEM_S)
    wrong = _unlike(outputs(way, work, n_blocks), expected)
    twice = (work / "calls").stat().st_size - n_blocks
    kill = Figure(
        f"{way.name}: wrong blocks after kill -9 and another call",
        wrong,
        "blocks",
        note=f"of {n_blocks}, {before} on disk at the kill; {twice} were computed twice",
    )
    victim = files(way, work)[n_blocks // 3]
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    way.done(work, n_blocks, 0.0)
    damaged = _unlike(outputs(way, work, n_blocks), expected)
    damage = Figure(
        f"{way.name}: wrong blocks after a file was cut and another call",
        damaged,
        "blocks",
        note="computed again" if damaged < 1 else "the file counts as finished",
    )
    other = way.done(work, n_blocks, 0.0, CHANGED)
    stale = n_blocks - _unlike(outputs(way, work, n_blocks), expected)
    what = "refused by name" if other is None else ("old results stay" if stale else "all anew")
    change = Figure(
        f"{way.name}: old blocks after the function changed", stale, "blocks", note=what
    )
    return [kill, damage, change]


def _unlike(found: NDArray[np.complex64], expected: NDArray[np.complex64]) -> int:
    """Count blocks that are not what they should be, beyond rounding."""
    return sum(
        not np.allclose(*pair, rtol=1e-4, atol=1e-3) for pair in zip(found, expected, strict=True)
    )

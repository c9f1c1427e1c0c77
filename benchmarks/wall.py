"""What does a process of its own cost a predictor: time to the first batch, memory, all the rest?

A TorchScript network, ``ptyrun compare`` on a fresh folder, in turns: with the predictor in its own
process, as by default, and in the session's (``PTYRUN_INLINE=1``), as all versions before had it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import overhead, share, stated
from benchmarks.figures import Figure, Scale, compared
from ptyrun.child.process import MARK
from ptyrun.comparison.run import Run

N_FRAMES, PATCH_PX, SHARE_FRAMES, SHARE_WINDOW_S = 891, 64, 891, 3600.0
SHARE_AIM_PERCENT = 15.0
_POLL_S = 0.02
_NETWORK = """
import sys, torch
network = torch.nn.Sequential(torch.nn.Conv2d(4, 2, 5, padding=2), torch.nn.Sigmoid())
torch.jit.script(network.eval()).save(sys.argv[1])
"""


@dataclass(frozen=True)
class Started:
    """One comparison's first chunk: when it began, and the most memory until then, in MiB."""

    first_chunk_s: float
    session_mib: float
    predictor_mib: float


def measure(scale: Scale) -> list[Figure]:
    """Time both ways in turns; then durable over bare, and what of 891 groups is not prediction."""
    folder = scale.scratch / "wall"
    model = _network(folder / "model")
    n_frames = 96 if scale.quick else N_FRAMES
    scan = stated.write_scan(folder / "scan.npz", n_frames, PATCH_PX)
    found: dict[str, list[Started]] = {"own process": [], "in the session": []}
    for turn in range(min(scale.rounds, 3)):
        for name in sorted(found, reverse=bool(turn % 2)):
            inline = "1" if name == "in the session" else "0"
            run = folder / f"{turn}-{inline}"
            found[name].append(_started(model, scan, run, inline))
    return [*_figures(found, n_frames), *_rest(scale)]


def _network(folder: Path) -> Path:
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-W", "ignore", "-c", _NETWORK, folder / "n.ts"], check=True)
    card = {"schema": 1, "backend": "pytorch", "file": "n.ts", "gridsize": 2, "patch_px": PATCH_PX}
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def _started(model: Path, scan: Path, run: Path, inline: str) -> Started:
    words = [sys.executable, "-P", "-m", "ptyrun", "compare", "--quiet", "--max-chunks=1"]
    words += [f"--pinn_dir={model}", f"--test_data={scan}", f"--output_dir={run}"]
    words += ["--trust-model=pinn", "--pinn-chunk-size=64"]
    environment = {**os.environ, "PTYRUN_INLINE": inline, "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    peaks = [0.0, 0.0]
    while process.poll() is None:
        for number, each in enumerate(_both(process.pid)):
            with suppress(psutil.Error):
                peaks[number] = max(peaks[number], each.memory_info().rss / 2**20)
        time.sleep(_POLL_S)
    first_s = min(
        record["at_s"]
        for path in Run(run).paths.ledger.glob("*.jsonl")
        for record in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if record.get("event") == "start"
    )
    return Started(first_s, *peaks)


def _both(pid: int) -> Iterator[psutil.Process]:
    with suppress(psutil.Error):
        session = psutil.Process(pid)
        yield session
        for child in session.children():
            if MARK in child.environ():
                yield child


def _figures(found: dict[str, list[Started]], n_frames: int) -> Iterator[Figure]:
    own, inline = (found[name] for name in ("own process", "in the session"))
    times = [[each.first_chunk_s for each in way] for way in (own, inline)]
    yield compared(
        "time to the first chunk, own process / in the session",
        times[0],
        times[1],
        None,
        f"{n_frames} frames of {PATCH_PX} px; {statistics.median(times[0]):.1f} s over "
        f"{statistics.median(times[1]):.1f} s, imports, hashing and planning included",
    )
    for name, way in found.items():
        session = statistics.median(each.session_mib for each in way)
        predictor = statistics.median(each.predictor_mib for each in way)
        beside = f"{predictor:.0f} MiB in the predictor's process" if predictor else "all of it"
        yield Figure(f"peak memory of the session, predictor {name}", session, "MiB", note=beside)


def _rest(scale: Scale) -> Iterator[Figure]:
    yield overhead.durable_over_bare(scale, scale.scratch / "durable", overhead.LOADS["pinn"])
    n_frames = share.QUICK_FRAMES if scale.quick else SHARE_FRAMES
    called = share.compared(scale.scratch / "share", n_frames, SHARE_WINDOW_S)
    yield Figure(
        f"not prediction, {n_frames} groups of {share.PATCH_PX} px",
        called.other_percent,
        "%",
        None if scale.quick else SHARE_AIM_PERCENT,
        note=f"{called.wall_s:.0f} s in all, {called.predicting_s:.0f} s of prediction; "
        f"{called.cpu_s:.0f} s of processors besides",
    )

"""How much faster are several workers than one?

Predictors of a stated cost, single-threaded; from the moment at which the last worker has begun to
compute to the last commit, so that start-up is left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks import stated
from benchmarks.figures import Figure, Scale
from ptyrun.comparison.run import Run
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.records import Committed, Opened, Started
from ptyrun.host.processes import n_cores

PATCH_PX = 32
ITEM_S = 0.05
GROUPS_PER_CHUNK = 4
CASES = (
    # Workers, whether the predictor keeps a core busy, groups, aim.
    (2, True, 480, 1.8),
    (8, False, 1600, 7.5),
)


def planned(folder: Path, n_groups: int, *, spins: bool) -> Path:
    """Plan a run of one arm."""
    from ptyrun.config import ArmConfig, CompareConfig, EvaluationOptions
    from ptyrun.stages.plan import plan

    folder.mkdir(parents=True)
    stated.offer(folder.parent / "site")
    arm = ArmConfig(
        name="pinn",
        path=stated.write_model(folder / "model", item_s=ITEM_S, gridsize=1, spins=spins),
        label="stated",
        chunk_groups=GROUPS_PER_CHUNK,
        batch_groups=GROUPS_PER_CHUNK,
    )
    config = CompareConfig(
        scan=stated.write_scan(folder / "scan.npz", n_groups, PATCH_PX, object_px=128),
        output_dir=folder / "run",
        arms=(arm,),
        evaluation=EvaluationOptions(stitch_crop_px=16),
    )
    plan(config)
    return config.output_dir


def rate(run_dir: Path, workers: int) -> float:
    """Work on a planned run and give groups per second, start-up left out."""
    words = [sys.executable, "-P", "-m", "ptyrun", "run", str(run_dir), f"--workers={workers}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(words, check=True, env=environment, capture_output=True)
    began_s: dict[str, float] = {}
    first_s: dict[str, float] = {}
    ends_s = []
    for session, record in read_records(Run(run_dir).paths):
        match record:
            case Opened():
                began_s[session] = record.process_started_s
            case Started():
                first_s.setdefault(session, began_s[session] + record.at_s)
            case Committed():
                ends_s.append(began_s[session] + record.at_s)
    from_s = max(first_s.values())
    after = [end_s for end_s in ends_s if end_s > from_s]
    return GROUPS_PER_CHUNK * len(after) / (max(after) - from_s)


def measure(scale: Scale) -> list[Figure]:
    """Compare each number of workers with one, one after the other."""
    found = []
    for workers, spins, n_groups, aim in CASES:
        if spins and n_cores() < workers:
            continue
        n_groups = n_groups // 4 if scale.quick else n_groups
        kind = "busy" if spins else "waiting"
        rates = {
            n: rate(planned(scale.scratch / f"{kind}-{n}", n_groups, spins=spins), n)
            for n in (1, workers)
        }
        name = f"{workers} {kind} workers / one"
        note = (
            f"{rates[workers]:.1f} over {rates[1]:.1f} groups/s, {1e3 * ITEM_S:.0f} ms a group, "
            f"{n_cores()} cores; at least {aim}"
        )
        found.append(Figure(name, rates[workers] / rates[1], "x", note=note))
    return found

"""How long does a whole comparison with real models take, and where does the time go?"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from benchmarks.child import told
from benchmarks.figures import Figure, Scale, summed_up
from ptyrun.comparison.run import Run
from ptyrun.config import (
    ArmConfig,
    ArmKind,
    CompareConfig,
    EvaluationOptions,
    Registration,
    SessionOptions,
)
from ptyrun.engine.costs import Costs
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.records import ArmOpened, Closed, Committed
from ptyrun.errors import ExitCode
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths

NOT_PREDICTION_AIM_PERCENT = 25.0
CHUNK_GROUPS = 256
BATCH_GROUPS = 16
MAX_ROUNDS = 3

# Steps of `finalize`, by how their names begin: what an arm's object is and how near the truth it
# is; then what came later: common pixels, pairs, frames, intervals.
OLDER_FIGURES = ("assemble ", "measure ")
NEWER_FIGURES = ("compare ", "frames ", "intervals")
NEWER = "common pixels, pairs, R-factors, intervals"


class Stopwatch:
    """A watcher that adds up how long each task took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._begun: dict[str, float] = {}

    def begin(self, task: str, total: int, done: int = 0, unit: str = "groups") -> None:
        """Start the watch of *task*."""
        self._begun[task] = time.perf_counter()

    def advance(self, task: str, count: int) -> None:
        """Pass over."""

    def end(self, task: str) -> None:
        """Stop the watch of *task*."""
        self.seconds[task] += time.perf_counter() - self._begun.pop(task)

    def note(self, text: str) -> None:
        """Pass over."""

    def warn(self, text: str) -> None:
        """Pass over."""


def configuration(hub: Path, output_dir: Path) -> CompareConfig:
    """The full comparison of the train split, as PtychoPINN's study asks for it."""
    data = hub / "data"

    def predictor(name: str, label: str, folder: str) -> ArmConfig:
        return ArmConfig(
            name=name,
            label=label,
            path=data / "phase_e" / "dose_1000" / folder,
            chunk_groups=CHUNK_GROUPS,
            batch_groups=BATCH_GROUPS,
        )

    reconstruction = ArmConfig(
        name="reconstruction",
        label="",
        path=data / "phase_f/dose_1000/dense/train/ptychi_reconstruction.npz",
        kind=ArmKind.RECONSTRUCTION,
    )
    return CompareConfig(
        scan=data / "phase_c/dose_1000/patched_train.npz",
        output_dir=output_dir,
        arms=(
            predictor("pinn", "PtychoPINN", "dense/gs2"),
            predictor("baseline", "Baseline", "baseline/gs1"),
            reconstruction,
        ),
        evaluation=EvaluationOptions(frc_sigma=0.5, registration=Registration.RECONSTRUCTION_ONLY),
    )


def compare(hub: Path, output_dir: Path) -> dict[str, float]:
    """Plan, run, finalize and report in this process; give the seconds of each part."""
    from ptyrun.door import all_stages

    start_up, watch = Process.current().age_s(), Stopwatch()
    outcome = all_stages.compare(configuration(hub, output_dir), SessionOptions(), watcher=watch)
    assert outcome.stop is ExitCode.COMPLETE
    ended = Process.current().age_s()
    chunks, ran = chunk_seconds(Run(output_dir).paths), closed_s(Run(output_dir).paths)
    stitch = sum(taken for task, taken in watch.seconds.items() if task.startswith("stitch"))
    took_s = Costs(Run(output_dir).paths.costs, Run(output_dir).manifest.digest).took_s
    older, newer = (
        sum(taken for step, taken in took_s.items() if step.startswith(names))
        for names in (OLDER_FIGURES, NEWER_FIGURES)
    )
    metrics = older - stitch
    written = {"tables and pictures": took_s["write"], "report": took_s["report"]}
    return {
        "start-up": start_up,
        "plan, rest of run": ran - start_up - sum(chunks.values()),
        **chunks,
        "stitch": stitch,
        "metrics against the truth": metrics,
        NEWER: newer,
        **written,
        "rest of finalize and report": (
            ended - ran - stitch - metrics - newer - sum(written.values())
        ),
    }


def chunk_seconds(paths: RunPaths) -> dict[str, float]:
    """Loading and predicting, arm by arm, as the ledger has it."""
    found: dict[str, float] = defaultdict(float)
    for _, record in read_records(paths):
        if isinstance(record, ArmOpened):
            found[f"load {record.arm}"] += record.seconds
        elif isinstance(record, Committed):
            found[f"predict {record.arm}"] += record.seconds
    return dict(found)


def closed_s(paths: RunPaths) -> float:
    """When the session ended, in seconds from the start of its process."""
    return next(record.at_s for _, record in read_records(paths) if isinstance(record, Closed))


def measure(scale: Scale) -> list[Figure]:
    """Compare the 891 groups of the reference study, each time in a fresh process."""
    hub = scale.shared / "golden" / "hub"
    if not hub.is_dir():
        print(f"comparison: left out, there are no reference models in {hub}", file=sys.stderr)
        return []
    rounds = [timed(hub, scale.scratch / f"run-{n}") for n in range(min(scale.rounds, MAX_ROUNDS))]
    wall_s = [wall for wall, _ in rounds]
    shares = [
        100 * (1 - sum(s for part, s in parts.items() if part.startswith("predict")) / wall)
        for wall, parts in rounds
    ]
    return [
        summed_up("whole comparison, 891 groups", wall_s, "s"),
        *(Figure(f"  {part}", taken, "s") for part, taken in medians([p for _, p in rounds])),
        summed_up("all that is not prediction", shares, "%", NOT_PREDICTION_AIM_PERCENT),
        summed_up(
            "newer figures on top of stitching and metrics",
            [
                100 * parts[NEWER] / (parts["stitch"] + parts["metrics against the truth"])
                for _, parts in rounds
            ],
            "%",
            note="in the same run",
        ),
    ]


def timed(hub: Path, output_dir: Path) -> tuple[float, Mapping[str, float]]:
    """Seconds of the whole process, and of its parts by name."""
    begun = time.perf_counter()
    parts: dict[str, float] = told(__name__, str(hub), str(output_dir))
    wall_s = time.perf_counter() - begun
    return wall_s, {**parts, "exit": wall_s - sum(parts.values())}


def medians(rounds: list[Mapping[str, float]]) -> list[tuple[str, float]]:
    """The median of each part."""
    return [(part, statistics.median(each[part] for each in rounds)) for part in rounds[0]]


if __name__ == "__main__":
    print(json.dumps(compare(Path(sys.argv[1]), Path(sys.argv[2]))))
    gc.freeze()  # as a command of ptyrun ends

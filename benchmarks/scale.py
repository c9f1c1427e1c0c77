"""Do time per group and memory stay as they are, up to a million groups, or a million chunks?

Each stage is a process of its own. Seconds are those of the processor, which a busy machine
lengthens least; growth is counted above what a run of very few groups takes.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from benchmarks import stated
from benchmarks.child import told
from benchmarks.figures import Figure, Scale
from benchmarks.growth_plot import Point, draw
from benchmarks.processes import peak_mib

LEAST = 500
GROUPS = (LEAST, 5_000, 50_000, 500_000, 1_000_000)
CHUNKS = (LEAST, 10_000, 100_000, 1_000_000)
GROUP_PX, CHUNK_PX = 16, 8
GROUPS_PER_CHUNK = 256
QUICKLY = 10_000
MEMORY_AIM, TIME_AIM = 1.1, 1.2
STATUS_AIM_S, STATUS_AIM_MIB = 3.0, 300.0
NEXT_AIM_S, READ_AIM_S = 1.0, 10.0
AGAIN_AIM_S = 1.0
IN_PROPORTION = ("plan", "run", "verify", "preview", "finalize")


def stages(folder: Path, patch_px: int, chunk_groups: int) -> Mapping[str, Callable[[], object]]:
    """Every stage by name, in the order in which they are measured; imported when called."""
    run_dir = folder / "run"

    def plan() -> object:
        from ptyrun.config import ArmConfig, CompareConfig, EvaluationOptions, Presentation
        from ptyrun.stages.plan import plan

        arm = ArmConfig(
            name="pinn",
            path=folder / "model",
            label="stated",
            chunk_groups=chunk_groups,
            batch_groups=GROUPS_PER_CHUNK,
        )
        config = CompareConfig(
            scan=folder / "scan.npz",
            output_dir=run_dir,
            arms=(arm,),
            evaluation=EvaluationOptions(stitch_crop_px=patch_px // 2),
            presentation=Presentation(save_npz=False, save_npz_aligned=False),
        )
        return plan(config)

    def run() -> object:
        from ptyrun.stages.run import run

        return run(run_dir)

    def status() -> object:
        from ptyrun.stages.status import status

        return status(run_dir)

    def next_chunk() -> object:
        from ptyrun.comparison.run import Run

        return next(Run(run_dir).progress.arms["pinn"].missing(), None)

    def read_ledger() -> object:
        from ptyrun.comparison.run import Run
        from ptyrun.engine.ledger import Ledger

        there = Run(run_dir)
        return Ledger(there.paths, there.manifest).refresh()

    def verify() -> object:
        from ptyrun.stages.verify import verify

        found = verify(run_dir).damages
        assert not found, found[:3]
        return found

    def preview() -> object:
        from ptyrun.stages.preview import preview

        return preview(run_dir)

    def finalize() -> object:
        from ptyrun.door.run import Run

        return Run(run_dir).finalize()

    def report() -> object:
        from ptyrun.stages.report import report

        return report(run_dir)

    return {
        "plan": plan,
        "run": run,
        "status": status,
        "next chunk": next_chunk,
        "read ledger": read_ledger,
        "verify": verify,
        "preview": preview,
        "finalize": finalize,
        "finalize known": finalize,  # digests of new results are remembered
        "finalize again": finalize,
        "report": report,
    }


def measured(folder: Path, series: str, n: int, only: Collection[str] | None = None) -> list[Point]:
    """Make a scan of *n* frames and take it through every stage, or *only* some."""
    patch_px, chunk_groups = (GROUP_PX, GROUPS_PER_CHUNK) if series == "groups" else (CHUNK_PX, 1)
    folder.mkdir(parents=True)
    stated.write_scan(folder / "scan.npz", n, patch_px)
    stated.write_model(folder / "model", item_s=0.0, gridsize=1)
    found = []
    for stage in only or stages(folder, patch_px, chunk_groups):
        point = Point(series, n, stage, **told(__name__, str(folder), series, stage))
        found.append(point)
        print(f"  {series} {n:>9,} {stage:14s} {point.cpu_s:8.2f} s of the processor, "
              f"{point.wall_s:8.2f} s, {point.mib:6.0f} MiB", file=sys.stderr)  # fmt: skip
    shutil.rmtree(folder)
    return found


def measure(scale: Scale) -> list[Figure]:
    """Take runs of more and more groups, and chunks, through every stage; draw the curves."""
    most = min(scale.most, QUICKLY if scale.quick else scale.most)
    points = []
    for series, sizes in (("groups", GROUPS), ("chunks", CHUNKS)):
        for n in (size for size in sizes if size <= most):
            points += measured(scale.scratch / f"{series}-{n}", series, n)
    draw(points, scale.kept / "scale.png")
    document = [dataclasses.asdict(point) for point in points]
    (scale.kept / "scale.json").write_text(json.dumps(document, indent=1) + "\n")
    return figures(points)


def figures(points: list[Point]) -> list[Figure]:
    """What the points say of flatness, and of the largest run of chunks."""
    by = {(each.series, each.n, each.stage): each for each in points}
    found = []
    for series in ("groups", "chunks"):
        sizes = sorted({each.n for each in points if each.series == series and each.n > LEAST})
        if not sizes:
            continue
        few, many = sizes[0], sizes[-1]
        middle = next((size for size in sizes if 10 * size >= many and size < many), few)
        for stage in IN_PROPORTION:
            least, low, high = (by[series, n, stage] for n in (LEAST, middle, many))
            mib = [by[series, n, stage].mib for n in (few, many)]
            name = f"{stage}, {many:,} {series}"
            aim = MEMORY_AIM if series == "groups" else None
            note = f"{mib[1]:.0f} over {mib[0]:.0f} MiB"
            found.append(
                Figure(f"{name}: memory / at {few:,}", mib[1] / mib[0], "x", aim, note=note)
            )
            if middle < many:
                each_ms = [
                    1e3 * (point.cpu_s - least.cpu_s) / (point.n - LEAST) for point in (low, high)
                ]
                note = (
                    f"{each_ms[1]:.3g} over {each_ms[0]:.3g} ms of the processor each, start-up off"
                )
                ratio = each_ms[1] / max(each_ms[0], 1e-9)
                name = f"{name}: time each / at {middle:,}"
                found.append(Figure(name, ratio, "x", TIME_AIM, note=note))
    largest = max((each.n for each in points if each.series == "chunks"), default=0)
    for stage, aim_s in (
        ("status", STATUS_AIM_S),
        ("next chunk", NEXT_AIM_S),
        ("read ledger", READ_AIM_S),
        ("finalize again", AGAIN_AIM_S if largest <= QUICKLY else None),
    ):
        if point := by.get(("chunks", largest, stage)):
            note = f"whole process, {point.wall_s:.2f} s by the clock, {point.mib:.0f} MiB"
            found.append(Figure(f"{stage}, {largest:,} chunks", point.cpu_s, "s", aim_s, note=note))
    if point := by.get(("chunks", largest, "status")):
        name = f"status, {largest:,} chunks: memory"
        found.append(Figure(name, point.mib, "MiB", STATUS_AIM_MIB))
    return found


def taken(folder: Path, series: str, stage: str) -> dict[str, float]:
    """Call one stage in this process, and say what it took."""
    stated.offer(folder / "site")
    patch_px, chunk_groups = (GROUP_PX, GROUPS_PER_CHUNK) if series == "groups" else (CHUNK_PX, 1)
    begun_s = time.perf_counter()
    stages(folder, patch_px, chunk_groups)[stage]()
    wall_s = time.perf_counter() - begun_s
    whole = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = sum(each.ru_utime + each.ru_stime for each in whole)
    return {"cpu_s": cpu_s, "wall_s": wall_s, "mib": peak_mib()}


if __name__ == "__main__":
    print(json.dumps(taken(Path(sys.argv[1]), sys.argv[2], sys.argv[3])))
    gc.freeze()  # as a command of ptyrun ends

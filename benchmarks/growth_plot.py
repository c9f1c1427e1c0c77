"""How do time and memory grow with the size of a run? Curves on two logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SHOWN = ("plan", "run", "status", "verify", "preview", "finalize", "report")
TITLES = {"groups": "groups, 256 to a chunk", "chunks": "chunks of one group"}


@dataclass(frozen=True)
class Point:
    """What one stage took of a run of *n* groups, or chunks of one group."""

    series: str
    n: int
    stage: str
    cpu_s: float
    wall_s: float
    mib: float


def draw(points: Sequence[Point], path: Path) -> None:
    """Draw seconds of the processor, and peak memory, of every stage over the number of groups."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(10, 7), sharex=True, constrained_layout=True)
    for column, (series, title) in enumerate(TITLES.items()):
        for stage in SHOWN:
            line = sorted(
                (p for p in points if (p.series, p.stage) == (series, stage)), key=lambda p: p.n
            )
            sizes = [point.n for point in line]
            axes[0, column].loglog(sizes, [p.cpu_s for p in line], "o-", ms=4, label=stage)
            axes[1, column].loglog(sizes, [p.mib for p in line], "o-", ms=4, label=stage)
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel(series)
    axes[0, 0].set_ylabel("time of the processor (s)")
    axes[1, 0].set_ylabel("peak memory (MiB)")
    for axis in axes.flat:
        axis.grid(visible=True, which="major", alpha=0.3)
    axes[1, 0].set_ylim(10, 4000)
    axes[1, 1].set_ylim(10, 4000)
    axes[0, 1].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)

"""How long does it take to find what is left, among many committed chunks?"""

from __future__ import annotations

from pathlib import Path

from benchmarks import ledgers
from benchmarks.figures import Figure, Scale, summed_up
from benchmarks.processes import in_new_process
from ptyrun.comparison.run import Run


def find_missing(root: Path) -> None:
    """Read a run's ledger and list every chunk that it lacks."""
    arm = Run(root).progress.arms[ledgers.ARM]
    missing = list(arm.missing())
    assert missing == list(range(0, arm.plan.n_chunks, ledgers.EVERY_NTH_MISSING))


def measure(scale: Scale) -> list[Figure]:
    """Open runs of 10 000 and 1 000 000 chunks, each time in a fresh process.

    As a session leaves them, with the sum in ``ledger.cache``, and from the ledger alone.
    """
    figures = []
    for n_chunks in (10_000, 1_000_000):
        if scale.quick and n_chunks > 10_000:
            continue
        root = scale.scratch / f"ledger-{n_chunks}"
        paths, _ = ledgers.run_with_commits(root, n_chunks, with_files=False)
        size_mib = sum(path.stat().st_size for path in paths.ledger.iterdir()) / 2**20
        ledger = f"ledger of {size_mib:.0f} MiB"
        figures.append(figure(scale, root, f"{n_chunks:,} chunks", f"{ledger} and its sum"))
        paths.ledger_cache.unlink(missing_ok=True)
        figures.append(figure(scale, root, f"{n_chunks:,} chunks, ledger.cache deleted", ledger))
    return figures


def figure(scale: Scale, root: Path, what: str, note: str) -> Figure:
    """Time the question, its process's start and imports apart."""
    rounds = min(scale.rounds, 3)
    taken = [in_new_process(find_missing, root) for _ in range(rounds)]
    memory_mib = max(memory for _, memory in taken)
    return summed_up(
        f"find what is left of {what}",
        [seconds for seconds, _ in taken],
        "s",
        note=f"{note}, process peak {memory_mib:.0f} MiB",
    )

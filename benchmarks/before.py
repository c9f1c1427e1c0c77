"""Do all figures take at most half as much again as before there were pairs and intervals?"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks import ROOT
from benchmarks.comparison import NEWER_FIGURES, OLDER_FIGURES
from benchmarks.figures import Figure, Scale, summed_up

# The last revision that measured each arm by itself alone.
BEFORE = "528388e"
MOST_ROUNDS = 5
NOT_SLOWER_AIM, ALL_AIM = 1.0, 1.5
# What any revision has.
CHILD = """
import sys
from pathlib import Path
from benchmarks.comparison import compare
compare(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def measure(scale: Scale) -> list[Figure]:
    """Compare the 891 groups of the reference study with both revisions, in turns."""
    hub = scale.shared / "golden" / "hub"
    if not hub.is_dir():
        print(f"before: left out, there are no reference models in {hub}", file=sys.stderr)
        return []
    try:
        with checked_out(BEFORE, scale.scratch / "before") as before:
            trees = {"before": before, "now": ROOT}
            rounds = []
            for number in range(1 if scale.quick else min(scale.rounds, MOST_ROUNDS)):
                order = sorted(trees, reverse=bool(number % 2))
                found = {name: figures_s(trees[name], hub, scale.scratch / "run") for name in order}
                rounds.append(found)
    except subprocess.CalledProcessError as error:
        print(f"before: left out, {error}", file=sys.stderr)
        return []
    return judged(rounds)


def judged(rounds: list[dict[str, tuple[float, float]]]) -> list[Figure]:
    """What the seconds of older and newer figures, by revision, amount to."""
    before_s = [sum(each["before"]) for each in rounds]
    note = f"{statistics.median(before_s):.2f} s before"
    return [
        summed_up(
            "figures of each arm by itself, over those before",
            [each["now"][0] / then for each, then in zip(rounds, before_s, strict=True)],
            "x",
            NOT_SLOWER_AIM,
            note,
        ),
        summed_up(
            "all figures, over those before",
            [sum(each["now"]) / then for each, then in zip(rounds, before_s, strict=True)],
            "x",
            ALL_AIM,
            note,
        ),
    ]


def figures_s(tree: Path, hub: Path, output_dir: Path) -> tuple[float, float]:
    """Seconds that a fresh comparison takes for older and for newer figures."""
    shutil.rmtree(output_dir, ignore_errors=True)
    subprocess.run(
        [sys.executable, "-P", "-c", CHILD, str(hub), str(output_dir)],
        env={**os.environ, "PYTHONPATH": str(tree)},
        cwd=tree,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    costs = json.loads((output_dir / "cache/costs.json").read_text(encoding="utf-8"))
    return by_age(costs["steps"])


def by_age(steps: Mapping[str, Mapping[str, float]]) -> tuple[float, float]:
    """Add up the steps of older and of newer figures."""
    older, newer = (
        sum(step["took_s"] for name, step in steps.items() if name.startswith(names))
        for names in (OLDER_FIGURES, NEWER_FIGURES)
    )
    return older, newer


@contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Path]:
    """Give a folder of its own to another revision of this repository."""

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(ROOT), *words], check=True, stdout=subprocess.DEVNULL)

    git("worktree", "add", "--quiet", "--detach", str(folder), revision)
    try:
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))

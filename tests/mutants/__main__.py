"""Do the tests notice when ptyrun is wrong?

Applies each change of ``list.toml``, one at a time, to a copy of the code, and runs the tests that
are to notice. Exit code 1 if one of them is not noticed, 2 if the list no longer fits the code.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

from tests.mutants.mutant import Mutant, StaleError, read
from tests.mutants.tree import ROOT, Tree

PASSED, FAILED = 0, 1
CANNOT_RUN = re.compile(r"^E +(Name|Syntax|Import|UnboundLocal)Error\b", re.MULTILINE)


class Verdict(StrEnum):
    """What became of a mutant. Tests that do not end say nothing: the machine may be busy."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    UNJUDGED = "NOT JUDGED"


def judge(mutant: Mutant, tree: Tree) -> tuple[Verdict, str]:
    """Run its tests on the changed tree; with what they said."""
    with mutant.applied(tree.folder):
        code, said = tree.pytest(mutant.tests, mutant.timeout_s)
    outcomes: dict[int | None, Verdict] = {PASSED: Verdict.SURVIVED, FAILED: Verdict.KILLED}
    verdict = outcomes.get(code, Verdict.UNJUDGED)
    # What cannot run at all is noticed by any test, and says nothing of them.
    return (Verdict.UNJUDGED if CANNOT_RUN.search(said) else verdict), said


def noticed_by(said: str) -> str:
    """Name the test that failed, and how."""
    lines = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return lines[0].partition(" ")[2][:200] if lines else ""


def unchanged_passes(mutants: list[Mutant], trees: list[Tree]) -> bool:
    """Whether the tests pass without any change: otherwise they would notice nothing."""
    asked = {test for mutant in mutants for test in mutant.tests}
    tests = sorted(test for test in asked if test.partition("::")[0] not in asked - {test})
    shares = [tests[number :: len(trees)] for number in range(len(trees))]
    with ThreadPoolExecutor(len(trees)) as pool:
        ended = list(pool.map(lambda tree, share: tree.pytest(share, 1200), trees, shares))
    for _, said in (each for each in ended if each[0] != PASSED):
        print(said[-6000:], "the tests fail without any change", sep="\n", file=sys.stderr)
    return all(code == PASSED for code, _ in ended)


def main() -> int:
    """Judge the mutants whose name or file holds one of the words given; all without words."""
    parser = argparse.ArgumentParser("make mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="judge only those whose name or file holds a word")
    parser.add_argument(
        "--list", action="store_true", help="only see whether the list fits the code"
    )
    parser.add_argument("--side-by-side", type=int, default=2, help="how many at once (default: 2)")
    parser.add_argument(
        "--no-baseline", action="store_true", help="take for granted that tests pass"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="print which test noticed")
    asked = parser.parse_args()
    began_s = time.monotonic()
    try:
        chosen = [mutant for mutant in read() if _is_asked_for(mutant, asked.words)]
    except StaleError as error:
        print(f"the list is stale: {error}", file=sys.stderr)
        return 2
    stale = [why for mutant in chosen if (why := _staleness(mutant))]
    for why in stale:
        print(f"the list is stale: {why}", file=sys.stderr)
    print(f"{len(chosen)} mutants, {len(stale)} of them stale", flush=True)
    mutants = [mutant for mutant in chosen if not _staleness(mutant)]
    verdicts: list[Verdict] = []
    if mutants and not asked.list:
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            judged = _judged(mutants, Path(folder), asked)
        if judged is None:
            return 2
        verdicts = judged
        counts = ", ".join(f"{verdicts.count(each)} {each.lower()}" for each in Verdict)
        print(f"{counts}; {(time.monotonic() - began_s) / 60:.1f} min")
    if stale:
        return 2
    return 0 if all(each is Verdict.KILLED for each in verdicts) else 1


def _is_asked_for(mutant: Mutant, words: list[str]) -> bool:
    return not words or any(word in f"{mutant.file}: {mutant.name}" for word in words)


def _staleness(mutant: Mutant) -> str:
    try:
        mutant.text(ROOT)
    except StaleError as error:
        return str(error)
    return ""


def _judged(mutants: list[Mutant], folder: Path, asked: argparse.Namespace) -> list[Verdict] | None:
    count = max(1, min(asked.side_by_side, len(mutants)))
    for number in range(count):
        (folder / str(number)).mkdir()
    trees = [Tree(folder / str(number)) for number in range(count)]
    if not trees[0].is_the_one_imported():
        print("processes of the copy import another ptyrun", file=sys.stderr)
        return None
    if not asked.no_baseline and not unchanged_passes(mutants, trees):
        return None
    idle = [*trees]

    def one(mutant: Mutant) -> Verdict:
        tree = idle.pop()
        began_s = time.monotonic()
        verdict, said = judge(mutant, tree)
        idle.append(tree)
        took_s = time.monotonic() - began_s
        print(f"{verdict:10}  {took_s:4.0f} s  {mutant.file}: {mutant.name}", flush=True)
        if asked.verbose and verdict is Verdict.KILLED:
            print(f"{'':20}{noticed_by(said)}", flush=True)
        if verdict is Verdict.UNJUDGED:
            print(said[-3000:], flush=True)
        return verdict

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, mutants))


if __name__ == "__main__":
    sys.exit(main())

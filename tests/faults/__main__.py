"""Does a run bear a disk that refuses any one call?

Lets calls of every kind fail, one at a time and from each line of ptyrun that leads to one, while a
run is planned, computed and finalized. After each: what the ledger names must be on disk, the exit
must be explained, a hint must not have ended it, and the next session must complete the run, with
the same bytes and nothing left over. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from itertools import groupby, product
from pathlib import Path

from tests.faults.disk import KINDS, LOOKING, WAYS, Fault, Sites, build, reason_for_none

FEW = 3  # calls of one site that are tried where a trial is quick
_MEMORY = Path("/dev/shm")  # where syncs cost nothing: what they are for is not what is tried


def chosen(
    asked: argparse.Namespace, quick: bool, seen: frozenset[tuple[str, str]], sites: Sites
) -> list[Fault]:
    """List the faults: calls from one site are alike, and share out the answers of their kind.

    Sites *seen* in an earlier work are left out where the call changes nothing.
    """
    if asked.only:
        return [Fault.parse(asked.only)]
    every = [
        Fault(kind, number, answer, lasts)
        for kind, of_kind in sites.items()
        if kind in (asked.kind or KINDS)
        for turn, (site, numbers) in enumerate(_by_site(of_kind).items())
        if asked.thorough or (kind, site) not in seen
        for number, way in _pairs(numbers, len(WAYS[kind]), asked.thorough, quick, turn)
        for answer, lasts in [WAYS[kind][way]]
    ]
    return _spread(every, asked.sample) if asked.sample else every[asked.first :: asked.every]


def _by_site(sites: list[str]) -> dict[str, list[int]]:
    """Gather the numbers of the calls that come from one site."""
    found: dict[str, list[int]] = {}
    for number, site in enumerate(sites, 1):
        found.setdefault(site, []).append(number)
    return found


def _pairs(
    numbers: list[int], ways: int, thorough: bool, quick: bool, turn: int
) -> list[tuple[int, int]]:
    """Pair calls of one site with answers: all with all, each answer once, or one with one."""
    if thorough:
        return list(product(numbers, range(ways)))
    tries = max(ways, min(len(numbers), FEW)) if quick else 1
    return [
        (numbers[(turn + each) * len(numbers) // tries % len(numbers)], (turn + each) % ways)
        for each in range(tries)
    ]


def _spread(faults: list[Fault], count: int) -> list[Fault]:
    """Choose so many of them, of all kinds alike and of each from first to last."""
    kinds = [list(group) for _, group in groupby(faults, key=lambda fault: fault.kind)]
    each = -(-count // len(kinds))
    rounds = [
        group[len(group) * (2 * turn + 1) // (2 * each)] for turn in range(each) for group in kinds
    ]
    return list(dict.fromkeys(rounds))[:count]


def main() -> int:
    """Sweep."""
    parser = argparse.ArgumentParser("make faults", description=__doc__)
    parser.add_argument(
        "works",
        nargs="*",
        help="engine-plan, run, engine-verify, plan, finalize, finalize-again, report, verify, "
        "status (default: all)",
    )
    parser.add_argument("--thorough", action="store_true", help="every answer, which takes hours")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only calls of this kind")
    parser.add_argument("--every", type=int, default=1, help="try one of so many faults")
    parser.add_argument("--first", type=int, default=0, help="begin with this one of them")
    parser.add_argument("--sample", type=int, help="try so many faults, of all kinds alike")
    parser.add_argument(
        "--only", help="try one alone, such as 'open 3: EIO' or 'sync 2 lasts: EIO'"
    )
    parser.add_argument("--side-by-side", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-v", "--verbose", action="store_true", help="print all that was said")
    asked = parser.parse_args()
    if why := reason_for_none():
        print(f"skipped: {why}")
        return 0
    if "FAULTS_LIBRARY" not in os.environ:
        return _with_library()
    folder = Path(os.environ["FAULTS_LIBRARY"]).parent
    from tests.faults.sweep import Sweep
    from tests.faults.works import QUICK, WORKS

    total = Sweep()
    seen: frozenset[tuple[str, str]] = frozenset()
    for name in asked.works or WORKS:
        count = 1 if asked.only else asked.side_by_side
        sweep = Sweep.of(
            WORKS[name],
            folder / name,
            count,
            partial(chosen, asked, name in QUICK, seen),
        )
        print(f"{name}: {sweep}", flush=True)
        for line in sweep.complaints():
            print(f"  {line if asked.verbose else _short(line)}", flush=True)
        total += sweep
        seen |= {(kind, site) for kind in LOOKING for site in sweep.sites.get(kind, ())}
    print(f"in all: {total}")
    return 1 if total.is_bad else 0


def _short(complaint: str) -> str:
    first, *rest = [line.strip() for line in complaint.splitlines() if line.strip()]
    return " ... ".join([first, *rest[-2:]])


def _with_library() -> int:
    """Begin again with the library: it is loaded before everything else or not at all."""
    folder = Path(
        tempfile.mkdtemp(prefix="faults-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
    )
    try:
        environment = {
            **os.environ,
            "FAULTS_LIBRARY": str(build(folder)),
            "LD_PRELOAD": str(folder / "faulty_disk.so"),
            "OPENBLAS_NUM_THREADS": "1",
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        words = [sys.executable, "-m", "tests.faults", *sys.argv[1:]]
        return subprocess.run(words, env=environment, check=False).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

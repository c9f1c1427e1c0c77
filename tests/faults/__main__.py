"""Does a run bear a disk that refuses any one call?

Lets every call of every kind fail in every way, one at a time, while a run is planned, computed and
finalized. After each: what the ledger names must be on disk, the exit must be explained, and the
next session must complete the run, with the same bytes and nothing left over. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from itertools import groupby
from pathlib import Path

from tests.faults.disk import KINDS, WAYS, Fault, build, reason_for_none


def chosen(asked: argparse.Namespace, thorough: bool, calls: Mapping[str, int]) -> list[Fault]:
    """List the faults: every call with every answer, or, where a trial takes long, with one."""
    if asked.only:
        return [Fault.parse(asked.only)]
    every = [
        Fault(kind, number, answer, lasts)
        for kind, count in calls.items()
        if kind in (asked.kind or KINDS)
        for number in range(1, count + 1)
        for turn, (answer, lasts) in enumerate(WAYS[kind])
        if thorough or turn == number % len(WAYS[kind])
    ]
    return _spread(every, asked.sample) if asked.sample else every[asked.first :: asked.every]


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
        help="engine-plan, run, plan, finalize, finalize-again, report (default: all)",
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
    for name in asked.works or WORKS:
        count = 1 if asked.only else asked.side_by_side
        sweep = Sweep.of(
            WORKS[name],
            folder / name,
            count,
            partial(chosen, asked, asked.thorough or name in QUICK),
        )
        print(f"{name}: {sweep}", flush=True)
        for line in sweep.complaints():
            print(f"  {line if asked.verbose else _short(line)}", flush=True)
        total += sweep
    print(f"in all: {total}")
    return 1 if total.is_bad else 0


def _short(complaint: str) -> str:
    first, *rest = [line.strip() for line in complaint.splitlines() if line.strip()]
    return " ... ".join([first, *rest[-2:]])


def _with_library() -> int:
    """Begin again with the library: it is loaded before everything else or not at all."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
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

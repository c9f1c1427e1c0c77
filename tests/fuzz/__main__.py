"""Does every spoilt file end in words?

Manifests, ledgers, results, documents of sessions, arrays, studies, scans, models: each is spoilt
in its bytes or its fields, sealed anew, and given to the commands that read it. None may end in a
traceback, be busy for 10 s, or take 2 GB of memory. The same numbers are the same files each time,
and what was tried already is not tried again: call it again after a Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.child import prepare
from tests.fuzz.crew import Outcome, run

ALL = 20_000
BUILD = Path("build/fuzz")


def shares(count: int, names: list[str]) -> dict[str, int]:
    """Share the trials out among kinds by their weights."""
    from tests.fuzz.table import KINDS

    weights = {name: KINDS[name].WEIGHT for name in names}
    total = sum(weights.values())
    return {name: -(-count * weight // total) for name, weight in weights.items()}


class Diary:
    """What was tried, kept on disk; empty where another number is begun."""

    def __init__(self, path: Path, afresh: bool) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if afresh:
            path.unlink(missing_ok=True)
        self.outcomes: dict[tuple[str, int], Outcome] = {}
        self._lock = threading.Lock()
        with path.open("a+") as file:
            file.seek(0)
            for line in file:
                self._note(Outcome(**json.loads(line)))

    def _note(self, outcome: Outcome) -> None:
        self.outcomes[outcome.kind, outcome.number] = outcome

    def note(self, outcome: Outcome) -> None:
        """Keep one."""
        with self._lock, self.path.open("a") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
            self._note(outcome)


def lacking(reason_of: dict[str, str]) -> Iterator[str]:
    """Name the kinds whose framework is not installed, with the reason."""
    from importlib.util import find_spec

    from tests.fuzz.table import KINDS

    for name, kind in KINDS.items():
        if kind.NEEDS and find_spec(kind.NEEDS) is None:
            reason_of[name] = f"{kind.NEEDS} is not installed"
            yield name


def signature(found: str) -> str:
    """What stands at the end of a traceback: equal ones are one fault."""
    lines = [line for line in found.splitlines() if line.strip()]
    frames = [line.strip() for line in lines if line.lstrip().startswith("File ")]
    where = [frame for frame in frames if "ptyrun" in frame]
    said = next((line for line in lines if line.startswith("error: ")), lines[0] if lines else "")
    return f"{said[:110]} | {where[-1].split('/')[-1][:80] if where else lines[-1][:80]}"


def main() -> int:
    """Spoil."""
    parser = argparse.ArgumentParser("make fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=ALL, help=f"how many (default: {ALL})")
    parser.add_argument("--seed", type=int, default=0, help="which ones (default: 0)")
    parser.add_argument("--kind", action="append", help="only files of this kind")
    parser.add_argument("--only", help="one alone, such as ledger:12, in this process")
    parser.add_argument("--again", action="store_true", help="forget what was tried")
    parser.add_argument("--side-by-side", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-v", "--verbose", action="store_true", help="print all that was said")
    told = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and leave nothing in memory
    sys.path.insert(0, str(Path.cwd()))
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_memory()) as scratch:
        work = Path(scratch)
        prepare(work)
        from tests.fuzz import scans
        from tests.fuzz.table import KINDS

        scans.install(work / "site")
        reasons: dict[str, str] = {}
        absent = set(lacking(reasons))
        names = [name for name in told.kind or KINDS if name not in absent]
        for name in absent:
            print(f"skipped: {name}: {reasons[name]}")
        if told.only:
            return one(work, told.only, told.seed)
        diary = Diary(BUILD / f"seed-{told.seed}.jsonl", told.again)
        make(work, names, diary, told)
        return say(diary, names, told)


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def make(work: Path, names: list[str], diary: Diary, told: argparse.Namespace) -> None:
    """Try all that was not tried yet, kind by kind."""
    for name, count in shares(told.cases, names).items():
        left = [number for number in range(count) if (name, number) not in diary.outcomes]
        if not left:
            continue
        _samples(work, name)
        began_s = time.monotonic()
        parts = [left[part :: told.side_by_side] for part in range(told.side_by_side)]
        with ThreadPoolExecutor(told.side_by_side) as pool:
            over = threading.Event()
            tries = [pool.submit(_try, work, name, told.seed, part, diary, over) for part in parts]
            try:
                for each in tries:
                    each.result()
            finally:  # a Ctrl-C waits for the trials in hand alone
                over.set()
        bad = sum(bool(diary.outcomes[name, number].found) for number in left)
        took_s = time.monotonic() - began_s
        print(f"{name}: {len(left)} tried in {took_s:.0f} s, {bad} not explained", flush=True)


def _try(
    work: Path, name: str, seed: int, numbers: list[int], diary: Diary, over: threading.Event
) -> None:
    for outcome in run(work, name, seed, numbers):
        diary.note(outcome)
        if over.is_set():
            return


def _samples(work: Path, name: str) -> None:
    """Make good files in a process of its own: frameworks stay out of this one."""
    words = [sys.executable, "-P", "-c", _MAKE, str(work), name]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    subprocess.run(words, check=True, env=environment, stdout=subprocess.DEVNULL)


_MAKE = """
import sys
from pathlib import Path
from tests.fuzz.child import prepare
work = Path(sys.argv[1])
prepare(work)
from tests.fuzz.table import KINDS
KINDS[sys.argv[2]].make(work / "samples")
"""


def one(work: Path, which: str, seed: int) -> int:
    """Try one in this process, and leave its files to be looked at."""
    from tests.fuzz.table import KINDS

    name, _, number = which.partition(":")
    _samples(work, name)
    kind = KINDS[name](work / "samples", work / "place")
    kind.renew()
    rng = random.Random(f"{seed}:{name}:{number}")
    kind.spoil(rng)
    kept = BUILD / "only"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(work / "place", kept, symlinks=True)
    print(f"the spoilt file is in {kept}")
    bad = False
    for said in kind.read(rng):
        print(f"{' '.join(said.words)}: exit code {said.code}\n{said.stderr}")
        bad |= said.is_unforeseen
    return int(bad)


def say(diary: Diary, names: list[str], told: argparse.Namespace) -> int:
    """Say what was found, equal faults once."""
    tried = [each for each in diary.outcomes.values() if each.kind in names]
    faults: dict[str, list[tuple[Outcome, str]]] = {}
    for outcome in tried:
        for found in outcome.found:
            faults.setdefault(signature(found), []).append((outcome, found))
    for text, cases in sorted(faults.items(), key=lambda each: -len(each[1])):
        outcome, found = cases[0]
        print(f"{len(cases)} x {text}\n    --only {outcome.kind}:{outcome.number}")
        if told.verbose:
            print(found)
    cpu_s = max((each.cpu_s for each in tried), default=0.0)
    rss_mb = max((each.rss_mb for each in tried), default=0)
    print(
        f"in all: {len(tried)} spoilt files, {sum(bool(each.found) for each in tried)} not "
        f"explained; at most {cpu_s:.1f} s of CPU time and {rss_mb} MB of memory"
    )
    return 1 if faults or not tried else 0


if __name__ == "__main__":
    sys.exit(main())

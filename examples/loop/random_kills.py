#!/usr/bin/env python
"""Runs a comparison under an outer loop that kills it at random, and shows that nothing is lost.

    examples/loop/random_kills.py --pinn_dir PINN --baseline_dir BASELINE --test_data SCAN.npz \
        --output_dir RUN ...

takes the words of ``ptyrun compare`` and repeats it with a window of 20 s. Each window is killed
with SIGKILL after a random time, all its processes with it, unless it closes first.

When the comparison is complete, the same is computed once more in one piece, into
RUN.uninterrupted, and both are laid side by side: equal manifests, arrays, objects, results and
tables, byte for byte apart from times. Exit code 0 says that they are equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

INCOMPLETE = 75


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--output_dir", "--output-dir", type=Path, required=True, help="of compare")
    parser.add_argument("--window", default="20s", help="of each repetition (20s)")
    parser.add_argument("--kill-after", nargs=2, type=float, default=(2.0, 24.0), metavar="SECONDS",
                        help="earliest and latest time of a kill (2 24)")  # fmt: skip
    parser.add_argument("--seed", type=int, help="of the times, to repeat them")
    own, compare = parser.parse_known_args()

    reference = own.output_dir.with_name(f"{own.output_dir.name}.uninterrupted")
    dice = random.Random(own.seed)
    code = until_complete([*compare, f"--window={own.window}"], own.output_dir, own, dice)
    if code == 0:
        print("once more in one piece", flush=True)
        code, _ = window(compare, reference, None)
    if code != 0:
        return code
    differing = list(differences(own.output_dir, reference))
    for name in differing:
        print(f"DIFFERS: {name}")
    print(f"{own.output_dir} and {reference}: {'different' if differing else 'equal'}")
    return 1 if differing else 0


def until_complete(
    words: Sequence[str], run: Path, own: argparse.Namespace, dice: random.Random
) -> int:
    for number in range(1, 1000):
        code, lasted_s = window(words, run, dice.uniform(*own.kill_after))
        ending = {0: "complete", INCOMPLETE: "window closed", -signal.SIGKILL: "KILLED"}
        print(f"window {number:3d}  {lasted_s:5.1f} s  {commits(run):4d} chunks  "
              f"{ending.get(code, f'exit code {code}')}", flush=True)  # fmt: skip
        if code not in (INCOMPLETE, -signal.SIGKILL):
            return code
    return 1


def window(words: Sequence[str], run: Path, kill_after_s: float | None) -> tuple[int, float]:
    """One call of ``ptyrun compare``: its exit code, and how long it lived."""
    began_s = time.monotonic()
    process = ptyrun("compare", *words, f"--output_dir={run}", "--quiet")
    try:
        process.wait(kill_after_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait(), time.monotonic() - began_s


def ptyrun(*words: str | Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "ptyrun", *map(str, words)]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)


def commits(run: Path) -> int:
    lines = (line for path in run.glob("ledger/*.jsonl") for line in path.open("rb"))
    return len({key for line in lines if (key := committed_key(line)) is not None})


def committed_key(line: bytes) -> str | None:
    try:
        record = json.loads(line)
    except ValueError:  # a kill tore the last line
        return None
    return str(record["key"]) if record.get("event") == "commit" else None


def differences(run: Path, reference: Path) -> Iterator[str]:
    """Names of what differs, or is only in one of the two."""
    ours, theirs = dict(contents(run)), dict(contents(reference))
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            yield name


def contents(run: Path) -> Iterator[tuple[str, Any]]:
    """What two equal runs have in common: everything but times and what happened on the way."""
    yield "manifest.json", json.loads((run / "manifest.json").read_text())["digest"]
    yield "results.json", timeless(json.loads((run / "results.json").read_text()))
    for table in run.glob("*.csv"):
        yield table.name, [line for line in table.open() if "_time" not in line]
    for store in ("arrays.zarr", "objects.zarr"):
        for metadata in sorted((run / store).rglob("zarr.json")):
            array = zarr.open(metadata.parent, mode="r")
            if isinstance(array, zarr.Array):
                values = np.ascontiguousarray(array[...])
                digest = hashlib.sha256(values.tobytes()).hexdigest()
                yield str(metadata.parent.relative_to(run)), (values.shape, digest)


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: timeless(entry)
            for key, entry in value.items()
            if "_time" not in key and not key.endswith(("_s", "_at"))
        }
    return [timeless(entry) for entry in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())

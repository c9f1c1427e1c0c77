"""What does a process do that tries one spoilt file after the other?

It reads numbers of trials from stdin and writes what came of each to stdout, one JSON object a
line. Whatever ends it, or keeps it, is the fault of the trial that it was in.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import peak_mib

CORES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def prepare(work: Path) -> None:
    """Be a user of one's own, with the predictor's package."""
    os.environ |= dict.fromkeys(CORES, "1")
    os.environ |= {
        "XDG_CONFIG_HOME": str(work / "config"),
        "XDG_CACHE_HOME": str(work / "cache"),
        "XDG_RUNTIME_DIR": str(work),
        "PTYRUN_DEBUG": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "agg",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    sys.path.insert(0, str(work / "site"))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def trial(kind: Any, seed: int, number: int) -> list[str]:
    """Try one spoilt file; what was not explained, with the command."""
    rng = random.Random(f"{seed}:{kind.NAME}:{number}")
    kind.renew()
    kind.spoil(rng)
    return [
        f"{' '.join(said.words)}: exit code {said.code}\n{said.stderr[-6000:]}"
        for said in kind.read(rng)
        if said.is_unforeseen
    ]


def main() -> None:
    """Be one of the crew: ``python -m tests.fuzz.child WORK PLACE KIND SEED``."""
    work, place, name, seed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    prepare(work)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    from tests.fuzz.table import kind_called

    kind = kind_called(name)(work / "samples", place / "files")
    kind.renew()
    for said in kind.read(random.Random(0)):  # what is slow the first time is imported here
        if not kind.is_good(said):
            answers.write(json.dumps({"unfit": f"{said.words}: {said.code}\n{said.stderr}"}) + "\n")
            return
    answers.write(json.dumps({"ready": os.getpid()}) + "\n")
    for line in sys.stdin:
        number, began_s = int(line), time.process_time()
        found = trial(kind, seed, number)
        answers.write(
            json.dumps(
                {
                    "number": number,
                    "found": found,
                    "cpu_s": round(time.process_time() - began_s, 3),
                    "rss_mb": round(peak_mib()),
                }
            )
            + "\n"
        )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()

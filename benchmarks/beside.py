"""Is a commit forgotten while others look at the run, or begin sessions on it?

One session writes small chunks; ``status --watch``, ``preview`` and ``verify`` look at its run in
loops, and other sessions begin beside it, one after the other.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import slow
from benchmarks.figures import Figure, Scale
from benchmarks.slow import Slowness
from benchmarks.windows import write_scan
from ptyrun.comparison.run import Run
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.records import Committed, Forgotten
from ptyrun.errors import ExitCode

STARTS, CHUNKS = 50, 2000
QUICK_STARTS, QUICK_CHUNKS = 2, 200
BATCH_S = 0.3  # so that the writer outlasts the starts
LOOKS = (("preview",), ("verify", "--level", "size"))
EXPECTED = (ExitCode.COMPLETE, ExitCode.INCOMPLETE)


@dataclass
class Watched:
    """A run that is written and looked at, by processes of ptyrun's command line."""

    folder: Path
    environment: dict[str, str]
    ended: Counter[tuple[str, int]] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)

    def words(self, *words: str) -> list[str]:
        """``ptyrun COMMAND RUN ...``."""
        command, *more = words
        return [sys.executable, "-m", "ptyrun", command, str(self.folder), *more]

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Begin a command that goes on for long; nobody reads its answer."""
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(
            self.words(*words), env=self.environment, stdout=nowhere, stderr=nowhere
        )

    def do(self, *words: str) -> None:
        """Run a command to its end."""
        done = subprocess.run(
            self.words(*words), env=self.environment, capture_output=True, text=True, check=False
        )
        self.count(words[0], done.returncode, done.stderr)

    def count(self, command: str, code: int, said: str = "") -> None:
        """Note how a command ended."""
        self.ended[command, code] += 1
        if code not in EXPECTED:
            self.unexpected.append(f"{command}: exit {code}, {said.strip()}")

    def do_until(self, is_over: threading.Event, words: Sequence[str]) -> None:
        """Run a command again and again."""
        while not is_over.is_set():
            self.do(*words)


def measure(scale: Scale) -> list[Figure]:
    """Count the commits that were forgotten, and those that were made twice."""
    starts, chunks = (QUICK_STARTS, QUICK_CHUNKS) if scale.quick else (STARTS, CHUNKS)
    run = planned(scale.scratch, chunks)
    writer = run.begin("run")
    watch = run.begin("status", "--watch")
    is_over = threading.Event()
    lookers = [threading.Thread(target=run.do_until, args=(is_over, look)) for look in LOOKS]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(starts):
            run.do("run", "--max-chunks", "1")
        outlasted = writer.poll() is None
    finally:
        is_over.set()
        for looker in lookers:
            looker.join()
    run.count("run", writer.wait())
    run.do("finalize")
    watch.terminate()
    watch.wait()
    run.do("verify")
    return figures(run, starts, chunks, outlasted=outlasted)


def planned(scratch: Path, chunks: int) -> Watched:
    """Plan a run of chunks of one group."""
    site, model = slow.install(scratch / "slow")
    scan = write_scan(scratch / "scan.npz", n_frames=chunks)
    run = Watched(scratch / "run", Slowness(batch_s=BATCH_S).environment(site))
    command = [sys.executable, "-m", "ptyrun", "plan", f"--pinn_dir={model}"]
    command += [f"--test_data={scan}", f"--output_dir={run.folder}", "--stitch_crop_size=16"]
    command += ["--pinn-chunk-size=1", "--pinn-predict-batch-size=1", "--quiet"]
    subprocess.run(command, env=run.environment, check=True, stdout=subprocess.DEVNULL)
    return run


def figures(run: Watched, starts: int, chunks: int, *, outlasted: bool) -> list[Figure]:
    """Read what the ledger has kept."""
    records = [record for _, record in read_records(Run(run.folder).paths)]
    committed = sum(isinstance(record, Committed) for record in records)
    forgotten = sum(isinstance(record, Forgotten) for record in records)
    looks = ", ".join(f"{n} x {command} {code}" for (command, code), n in sorted(run.ended.items()))
    note = f"{starts} sessions begun beside the writer; exit codes: {looks}"
    if not outlasted:
        note += "; THE WRITER ENDED BEFORE THEM"
    return [
        Figure("commits forgotten", forgotten, "", 0, note=note),
        Figure("commits made twice", committed - chunks, "", 0, note=f"of {chunks} chunks"),
        Figure("unexpected ends", len(run.unexpected), "", 0, note="; ".join(run.unexpected[:1])),
    ]

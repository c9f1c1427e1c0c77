"""A planned run that computes in seconds: a real scan, and a predictor whose pace is chosen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.packages import lay_out
from tests.scans import write_scan

# A package as a third party would install it: a module and the metadata that names its entry point.
MODULE = '''
import json, os, signal, time
import numpy as np
from ptyrun.predictors import ModelCard

class PacedPredictor:
    """Smooths the diffraction into a patch, so many seconds a batch; all but the first may wait."""

    def __init__(self, request):
        self.card = ModelCard(request.patch_px, None, False, "paced")
        self.batch_items = request.batch_items
        self._how = json.loads(os.environ["PACE"])
        self._is_first = True

    @classmethod
    def open(cls, request):
        return cls(request)

    def predict(self, diffraction, local_offsets_px):
        time.sleep(self._how["batch_s"])
        gate = os.path.expandvars(self._how.get("gate", ""))
        while gate and not self._is_first and not os.path.exists(gate):
            time.sleep(0.02)
        self._is_first = False
        if self._how.get("fails"):
            raise RuntimeError("this model always fails")
        if self._how.get("hangs"):
            open(self._how["hangs"], "w").close()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
            time.sleep(3600)
        field = np.fft.fftshift(np.fft.ifft2(diffraction.mean(axis=3)), axes=(1, 2))
        return (1 + field / np.abs(field).max()).astype(np.complex64)

    def close(self):
        pass
'''
ENTRY_POINTS = "[ptyrun.predictors]\npaced = paced_predictor:PacedPredictor\n"


@dataclass
class Bench:
    """A planned run, and ptyrun's command line in processes of its own."""

    inputs: Path
    run: Path
    pace: dict[str, str | float] = field(default_factory=lambda: {"batch_s": 0.0})
    begun: list[subprocess.Popen[str]] = field(default_factory=list)
    inline: bool = True  # in the session's process; else as users have it, which starts slower

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            # No empty part: Python would take it for the current folder.
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(self.inputs / "site"), os.environ.get("PYTHONPATH")])
            ),
            "CUDA_VISIBLE_DEVICES": "",
            "XDG_RUNTIME_DIR": str(self.inputs),
            "PACE": json.dumps(self.pace),
            "PTYRUN_INLINE": str(int(self.inline)),
        }

    def words(self, command: str, *more: str) -> list[str]:
        """``ptyrun COMMAND RUN ...``."""
        run = [] if command == "plan" else [str(self.run)]
        return [sys.executable, "-m", "ptyrun", command, *run, *more]

    def do(self, *words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command on the run to its end; *before* stands before it."""
        return subprocess.run(
            [*before, *self.words(*words)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def do_script(
        self, script: str, *words: str, before: Sequence[str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script on the run ($RUN), all of it behind *before*."""
        return subprocess.run(
            [*before, "sh", "-c", script, "sh", *words],
            env={**self.environment, "RUN": str(self.run), "PYTHON": sys.executable},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def begin(self, *words: str, before: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Begin a command on the run; *before* stands before it."""
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [*before, *self.words(*words)],
            env=self.environment,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        self.begun.append(process)
        return process

    def start(self, *words: str) -> int:
        """Detach a session; return its PID."""
        done = self.do("start", *words)
        assert done.returncode == 0, done.stderr
        return int(self.document("process.json")["pid"])

    def document(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.run / name).read_text(encoding="utf-8"))
        return document

    def commits(self) -> int:
        """How many chunks the ledger names."""
        ledger = (self.run / "ledger").glob("*.jsonl")
        return sum(path.read_text().count('"event":"commit"') for path in ledger)

    def close_gate(self, suffix: str = "") -> Path:
        """Let every process wait before its second batch, until the file given here is there.

        A *suffix* that names a variable, such as ``$TASK``, gives each of its values a gate.
        """
        gate = self.run.with_name("gate")
        self.pace["gate"] = f"{gate}{suffix}"
        return gate

    def asked(self) -> int:
        """How many sessions have heard that they are to end, whether they work still or ended."""
        heard = {path.stem for path in (self.run / "claims").glob("*.asked")}
        ledgers = (self.run / "ledger").glob("*.jsonl")
        return len(heard | {path.stem for path in ledgers if _was_asked(path.read_text())})

    def asked_or_ended(self) -> int:
        """How many sessions have heard that they are to end, or have ended for another reason."""
        heard = {path.stem for path in (self.run / "claims").glob("*.asked")}
        ledgers = (self.run / "ledger").glob("*.jsonl")
        return len(heard | {path.stem for path in ledgers if _is_closed(path.read_text())})

    def end(self) -> None:
        """Kill whatever a failed test left behind."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        for begun in self.begun:
            begun.kill()
            if begun.stdout is not None and not begun.stdout.closed:
                begun.communicate()

    def processes(self) -> list[psutil.Process]:
        """Every living process that works on this run."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                zombie = process.status() == psutil.STATUS_ZOMBIE
                if not zombie and any(str(self.run) in word for word in process.cmdline()):
                    found.append(process)
        return found


# In a mount namespace of its own: a copy of the run on a small file system over it, then as told.
ON_TMPFS = """
set -e
mount --bind "$1" /mnt && mount -t tmpfs -o size=32m none "$1" && cp -r /mnt/. "$1" && umount /mnt
mkdir -p "$1/logs"
case $2 in
  full) cat /dev/zero >"$1/filler" 2>/dev/null || true ;;
  read-only) mount -o remount,ro "$1" ;;
esac
shift 2
exec "$@"
"""


def _is_closed(ledger: str) -> bool:
    return '"event": "close"' in ledger or '"event":"close"' in ledger


def _was_asked(ledger: str) -> bool:
    return '"reason": "received ' in ledger or '"reason":"received ' in ledger


def on_tmpfs(run: Path, how: str) -> list[str]:
    """Words that put a command where *run* lies on a disk that is ``full`` or ``read-only``."""
    return ["unshare", "--mount", "sh", "-c", ON_TMPFS, "sh", str(run), how]


def until(is_so: Callable[[], object], patience_s: float = 300) -> None:
    """Wait for something to become so."""
    deadline_s = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline_s, "it never became so"
        time.sleep(0.02)


def windows_s(first_s: float = 4.0) -> Iterator[float]:
    """Lengths to try until one is long enough on this machine, as busy as it is."""
    for doubled in range(7):
        yield first_s * 2**doubled
    pytest.fail("no window was long enough")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan, a model of the third party's package, and a plan of six chunks."""
    folder = tmp_path_factory.mktemp("inputs")
    site, model = folder / "site", folder / "model"
    lay_out(site, "paced", ENTRY_POINTS, {"paced_predictor": MODULE})
    model.mkdir()
    (model / "weights.txt").write_text("none")
    card = {"schema": 1, "backend": "paced", "file": "weights.txt", "gridsize": 2}
    (model / "model.json").write_text(json.dumps(card))
    write_scan(folder / "scan.npz")
    done = Bench(folder, folder / "planned").do(
        *["plan", f"--pinn_dir={model}", f"--test_data={folder / 'scan.npz'}"],
        *[f"--output_dir={folder / 'planned'}", "--no-vector-plots", "--n-test-groups=24"],
        *["--pinn-chunk-size=4", "--pinn-predict-batch-size=4"],
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def finished(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A run that a background session completed. Not to be changed."""
    bench = Bench(inputs, tmp_path_factory.mktemp("finished") / "run")
    shutil.copytree(inputs / "planned", bench.run)
    bench.start("--max-chunks", "3")
    done = bench.do("wait", "--timeout", "300s")
    assert done.returncode == 0, done.stderr + bench.do("logs").stdout
    return bench


@pytest.fixture
def bench(inputs: Path, tmp_path: Path) -> Iterator[Bench]:
    """A run of six chunks of its own, planned, that takes no time to compute."""
    bench = Bench(inputs, tmp_path / "run")
    shutil.copytree(inputs / "planned", bench.run)
    yield bench
    bench.end()

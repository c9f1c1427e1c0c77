"""The demo: simulate, train, reconstruct, then compare in windows, with a kill -9 in the middle.

Every step is skipped where its files are there and unchanged, so a second call ends in seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hub import SPLITS, Hub, read_arguments

HERE = Path(__file__).resolve().parent
WINDOW = "40s"
MOST_WINDOWS = 40
WORK_REMAINS = 75
CHUNK_GROUPS = "64"
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


def make(hub: Hub) -> None:
    """Fill the hub and compare the test split."""
    begun = time.monotonic()
    step("simulate", hub, "simulate.py", hub.scans / "run_manifest.json")
    step("train the PINN", hub, "train_pinn.py", hub.pinn / "training_manifest.json")
    step("train the Baseline", hub, "train_baseline.py", hub.baseline / "training_manifest.json")
    for split in SPLITS:
        manifest = hub.reconstruction(split).with_name("reconstruction_manifest.json")
        step(f"reconstruct the {split} split", hub, "reconstruct.py", manifest, split)
    compare(hub, "test")
    print(f"done in {time.monotonic() - begun:.0f} s; see {hub.run('test')}/comparison_plot.png")


def step(title: str, hub: Hub, script: str, manifest: Path, *words: str) -> None:
    """Run one script in a process of its own, unless what it makes is there."""
    if manifest.is_file():
        print(f"{title}: done before ({manifest})")
        return
    print(f"{title} ...", flush=True)
    begun = time.monotonic()
    options = ["--hub", str(hub.root), "--dose", str(hub.dose)]
    subprocess.run(
        [sys.executable, "-W", "ignore", str(HERE / script), *options, *words],
        check=True,
        env=ENVIRONMENT,
    )
    print(f"{title}: {time.monotonic() - begun:.0f} s")


def compare(hub: Hub, split: str) -> None:
    """Repeat windows until the comparison is complete; kill the first one in the middle."""
    run = hub.run(split)
    words = [
        "compare",
        "--pinn_dir", str(hub.pinn),
        "--baseline_dir", str(hub.baseline),
        "--test_data", str(hub.scan(split)),
        "--tike_recon_path", str(hub.reconstruction(split)),
        "--output_dir", str(run),
        "--pinn-chunk-size", CHUNK_GROUPS,
        "--baseline-chunk-size", CHUNK_GROUPS,
        "--window", WINDOW,
    ]  # fmt: skip
    if not (run / "manifest.json").exists():
        kill_in_the_middle(words, run)
    for number in range(1, MOST_WINDOWS + 1):
        print(f"window {number} of {WINDOW}: ptyrun compare ...", flush=True)
        code = ptyrun(words).wait()
        if code != WORK_REMAINS:
            break
    if code:
        sys.exit(code)


def kill_in_the_middle(words: Sequence[str], run: Path) -> None:
    """Kill a window with SIGKILL as soon as its ledger names a chunk."""
    print(f"window 0 of {WINDOW}, to be killed: ptyrun compare ...", flush=True)
    process = ptyrun(words)
    while process.poll() is None and not committed(run):
        time.sleep(0.05)
    process.kill()
    process.wait()
    print(f"killed with SIGKILL after {committed(run)} committed chunks; nothing of them is lost")


def ptyrun(words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start ptyrun in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "ptyrun", *words], env=ENVIRONMENT)


def committed(run: Path) -> int:
    """How many chunks the ledger names."""
    ledgers = (run / "ledger").glob("*.jsonl")
    return sum(ledger.read_bytes().count(b'"event":"commit"') for ledger in ledgers)


if __name__ == "__main__":
    make(read_arguments(__doc__)[0])

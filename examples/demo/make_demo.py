"""Make the whole demo: simulate a scan, train, reconstruct, and compare in windows.

Every step is skipped when it is complete, so that an interrupted demo goes on where it was.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from hub import SPLITS, Hub, is_complete, read_arguments
from processes import alone, end_all, end_in_good_order, program, settings_of
from recipes import Baseline, Pinn, Recipe, Reconstruction, Scan
from windows import compare_in_windows

from ptyrun.comparison.run import Run

HERE = Path(__file__).resolve().parent
COMPARED_SPLIT = "test"
LAST_LINES = 15


@dataclass(frozen=True)
class Step:
    """One script of the demo and the manifest that it writes when it is complete."""

    name: str
    does: str
    script: str
    manifest: Path
    recipe: Recipe
    words: tuple[str, ...] = ()


def scan_step(hub: Hub) -> Step:
    """The step on which all others depend."""
    return Step(
        "simulate",
        f"simulate a scan with {hub.dose} photons per exposure",
        "simulate.py",
        hub.scan_manifest,
        Scan(photons=hub.dose),
    )


def later_steps(hub: Hub) -> list[Step]:
    """What can be done at the same time, the longest first."""
    train_baseline = Step(
        "baseline",
        "train the Baseline on the truth of the train split",
        "train_baseline.py",
        hub.baseline_manifest,
        Baseline(),
    )
    train_pinn = Step(
        "pinn",
        "train the PINN on the diffraction of the train split",
        "train_pinn.py",
        hub.pinn_manifest,
        Pinn(),
    )
    reconstruct = [
        Step(
            f"reconstruct-{split}",
            f"reconstruct the {split} split with pty-chi",
            "reconstruct.py",
            hub.reconstruction_manifest(split),
            Reconstruction(),
            (split,),
        )
        for split in SPLITS
    ]
    return [train_baseline, train_pinn, *reconstruct]


def make_demo(hub: Hub) -> None:
    """Do what is missing and say where the results are."""
    started = time.perf_counter()
    run_step(hub, scan_step(hub))
    run_together(hub, later_steps(hub))
    compare_in_windows(hub, COMPARED_SPLIT)
    run = Run(hub.run(COMPARED_SPLIT)).paths
    print(f"picture: {run.plot}")
    print(f"figures: {run.results}")
    print(f"demo complete in {time.perf_counter() - started:.0f} s")


def run_together(hub: Hub, steps: Sequence[Step]) -> None:
    """Run as many steps at once as there are cores: each uses one, which is faster than in turn.

    A step that fails is tried once more, alone: two frameworks at once may be too much for the
    memory of a small machine.
    """
    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        running = [pool.submit(run_step, hub, step) for step in steps]
        try:
            failed = [step for step, done in zip(steps, running, strict=True) if done.exception()]
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise
    for step in failed:
        say(step, "failed beside the others: once more, alone")
        run_step(hub, step)


def run_step(hub: Hub, step: Step) -> None:
    """Run one script unless it is complete.

    Raises
    ------
    SystemExit
        If the script fails, with the end of its log.
    """
    if is_complete(step.manifest, step.recipe.settings()):
        say(step, f"complete: {step.does}")
        return
    say(step, step.does)
    started = time.perf_counter()
    log = hub.log(step.name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as errors:
        code = run_script(hub, step, errors)
    if code:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        raise SystemExit(f"{step.name} failed with exit code {code}; the end of {log}:\n{end}")
    say(step, f"done in {time.perf_counter() - started:.0f} s")


def run_script(hub: Hub, step: Step, errors: TextIO) -> int:
    """Run a script, show its output line by line, give its exit code."""
    words = [sys.executable, str(HERE / step.script), *step.words]
    one_thread = settings_of({"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"})
    words += ["--hub", str(hub.root), "--dose", str(hub.dose)]
    with program(words, one_thread, stderr=errors) as script:
        assert script.stdout is not None
        for line in script.stdout:
            say(step, line.rstrip())
        return script.wait()


def say(step: Step, text: str) -> None:
    """Print a line under the step's name, whole, whoever else is printing."""
    sys.stdout.write(f"{step.name:<17} {text}\n")


if __name__ == "__main__":
    # Its own lines and those of its children come in the order in which they were written.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, end_in_good_order)
    study = read_arguments(__doc__)[0]
    try:
        with alone(study.root):
            make_demo(study)
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on where it was")

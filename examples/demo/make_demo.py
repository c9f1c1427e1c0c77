"""Make the demo's study: simulate a scan, train, reconstruct, compare in windows, with one kill -9.

The study keeps what is done, so that an interrupted demo goes on where it was.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from make_base import make_base

from ptyrun.errors import ExitCode, PtyrunError
from ptyrun.host.advice import Advice
from ptyrun.host.children import born_of
from ptyrun.host.processes import n_cores
from ptyrun.stages.status import Status, status

STUDY = Path(__file__).with_name("study.toml")
PTYRUN = Path(sys.executable).with_name("ptyrun")
COMPARISON = "analysis/dose_100000/dense/test"
FIRST_WINDOW_S, LONGER = 60, 2
KILL_AFTER = 0.5
LOOK_EVERY_S = 0.1


def make_demo(hub: Path) -> None:
    """Make what is missing, in windows that grow, and say where the results are.

    Raises
    ------
    SystemExit
        If the study fails although everything was tried to put it right.
    """
    began_s = time.perf_counter()
    run = hub / COMPARISON
    base = hub.with_name("base.npz")
    make_base(base)
    remedies = _remedies(hub)
    window_s, jobs = FIRST_WINDOW_S, n_cores()
    was_killed = False
    while True:
        code, enough_s = _window(hub, base, window_s, jobs, None if was_killed else run)
        was_killed = was_killed or code == -signal.SIGKILL
        if code == ExitCode.COMPLETE:
            break
        if code == ExitCode.INCOMPLETE or enough_s:
            # However slow the machine, all windows together take little more than twice the work.
            window_s = max(LONGER * window_s, enough_s or 0)
            print(f"the next window has {window_s} s", flush=True)
        elif code == -signal.SIGKILL:
            print("the same command goes on where it was", flush=True)
        elif (done := next(remedies, None)) is not None:
            print(f"exit code {code}: {done}", flush=True)
            # Two frameworks at once may be too much for the memory of a small machine.
            jobs = 1
        else:
            raise SystemExit(code)
    print(_said(run))
    print(f"page:     {run / 'report/index.html'}")
    print(f"picture:  {run / 'comparison_plot.png'}")
    print(f"demo complete in {time.perf_counter() - began_s:.0f} s")


def _window(
    hub: Path, base: Path, window_s: int, jobs: int, killed_in: Path | None
) -> tuple[int, int | None]:
    """Work on the study for one window, or until a run is half done.

    Returns the exit code and, where the window was too short, how many seconds would do.
    """
    words: list[str | Path] = [PTYRUN, "study", "run", "--config", STUDY, "--hub", hub]
    words += ["--base-npz", base, "--window", f"{window_s}s", "--jobs", str(jobs)]
    advice = Advice(hub.with_name(".demo-advice"))
    # Threads that spin while they wait slow each other down where cores are shared.
    settings = {"OMP_WAIT_POLICY": "PASSIVE", "TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    with subprocess.Popen(
        words,
        env={**settings, **advice.environment},
        stdin=subprocess.DEVNULL,
        preexec_fn=born_of(os.getpid()),
    ) as process:
        try:
            if killed_in is not None:
                _kill_in_the_middle(process, killed_in)
            return process.wait(), advice.take()
        except KeyboardInterrupt:
            process.terminate()
            raise


def _kill_in_the_middle(process: subprocess.Popen[bytes], run: Path) -> None:
    began = _status(run)
    before = began.chunks_committed if began else 0
    while process.poll() is None:
        found = _status(run)
        # Later where an earlier window got further, and never in a run that was complete.
        if found and found.chunks_committed >= max(KILL_AFTER * found.chunks_total, before + 1):
            process.kill()
            done = f"{found.chunks_committed} of {found.chunks_total} chunks"
            print(f"killed with SIGKILL after {done}", flush=True)
            return
        time.sleep(LOOK_EVERY_S)


def _status(run: Path) -> Status | None:
    """How far the run is; None before it is planned, or where that cannot be read."""
    try:
        return status(run) if run.exists() else None
    except (PtyrunError, OSError):
        return None


def _remedies(hub: Path) -> Iterator[str]:
    """Put right what keeps a study from going on, one way after the other; say what was done."""
    yield "once more, one stage at a time"
    runs = [path for path in (hub / COMPARISON).parent.glob("test*") if path.is_dir()]
    for run in runs:
        subprocess.run([PTYRUN, "verify", run, "--repair"], stdin=subprocess.DEVNULL, check=False)
    yield "the comparisons were repaired"
    now = datetime.datetime.now(datetime.UTC)
    aside = hub / "archive" / f"comparisons-until-{now:%Y%m%dT%H%M%SZ}"
    aside.mkdir(parents=True)
    for run, number in zip(runs, itertools.count(1), strict=False):
        run.rename(aside / f"{number}-{run.name}")
    yield f"the comparisons are now in {aside}, and start over"


def _said(run: Path) -> str:
    """What the comparison found, as it said it."""
    log = (run / "comparison.log").read_text(encoding="utf-8")
    return log.partition("=== STDOUT ===\n")[2].partition("\n\n\n===")[0]


def _end_in_good_order(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hub", type=Path, default=Path("demo/hub"), help="folder of the study")
    signal.signal(signal.SIGTERM, _end_in_good_order)
    try:
        make_demo(parser.parse_args().hub)
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on where it was")

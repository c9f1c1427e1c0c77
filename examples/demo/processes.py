"""How does the demo run its programs, so that none outlives it and two demos never meet?"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ptyrun.host.children import born_of

_running: list[subprocess.Popen[str]] = []


@contextmanager
def program(
    words: Sequence[str | Path], settings: Mapping[str, str], *, stderr: IO[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a program beside this one; it ends with this one, however that ends.

    What it says is read from ``stdout`` if *stderr* goes to a file, else it goes where this
    program's own words go.
    """
    process = subprocess.Popen(
        [str(word) for word in words],
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=None if stderr is None else subprocess.PIPE,
        stderr=stderr,
        text=True,
        errors="replace",
        preexec_fn=born_of(os.getpid()),
    )
    _running.append(process)
    try:
        yield process
    finally:
        _running.remove(process)
        if process.poll() is None:
            process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def end_all() -> None:
    """End whatever is running, in whichever thread."""
    for process in [*_running]:
        process.terminate()


def end_in_good_order(number: int, _frame: object) -> None:
    """End the demo, and with it what it runs, as Ctrl-C does."""
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other demo works in *folder*; where locks are unknown, work without."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".demo.lock").open("a") as lock:
        with suppress(OSError):  # other than BlockingIOError: this disk knows no locks
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"another demo is at work in {folder}: waiting for it", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def settings_of(overridable: Mapping[str, str]) -> dict[str, str]:
    """Give those of *overridable* that the environment does not set already."""
    return {name: value for name, value in overridable.items() if name not in os.environ}

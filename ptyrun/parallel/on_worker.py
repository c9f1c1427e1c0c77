"""What does a worker of a Dask cluster do for us? It runs a command of ptyrun as its child."""

from __future__ import annotations

import os
import pickle
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptyrun.host.children import born_of, ptyrun_words
from ptyrun.host.regular import open_to_append

_LOOK_S = 0.1
_FOLDER_S = 0.5  # a network folder may show a new file a moment late
_SAID_BYTES = 1 << 16

# How a child ended: its exit code, the end of what it said, and whether the worker ended it because
# the worker itself is closing. Plain types: the scheduler may have no ptyrun.
Report = tuple[int, str, bool]


def packed(words: list[str], meeting: Path, log: Path | None = None) -> bytes:
    """Pack a call of :func:`compute_here`, which is made where it is unpacked.

    The scheduler unpacks the function and the arguments of each task; bytes it leaves alone, so
    that it needs no ptyrun.
    """
    return pickle.dumps(_Call(words, str(meeting), None if log is None else str(log)))


@dataclass(frozen=True)
class _Call:
    words: list[str]
    meeting: str
    log: str | None

    def __reduce__(self) -> tuple[Any, tuple[list[str], str, str | None]]:
        return compute_here, (self.words, self.meeting, self.log)


def compute_here(words: list[str], meeting: str, log: str | None = None) -> Report | None:
    """Run ptyrun as a child of this worker, until it ends or is not wanted any more.

    Parameters
    ----------
    words : list of str
        Those after ``ptyrun``.
    meeting : str
        A file in the folder that was made for this window.
    log : str, optional
        A file to append all output to; without it, complaints are reported and the rest is dropped.

    Returns
    -------
    tuple of (int, str, bool), or None
        None where *meeting* is not seen: the folder is another one, or absent.
    """
    from distributed import Status, get_worker

    if not _is_seen(Path(meeting)):
        return None
    worker = get_worker()
    task = worker.get_current_task()
    environment = {**os.environ, "OMP_NUM_THREADS": str(worker.state.nthreads)}
    with ExitStack() as files:
        said = files.enter_context(tempfile.TemporaryFile())
        kept = None if log is None else files.enter_context(open_to_append(Path(log)))
        child = subprocess.Popen(
            ptyrun_words(*words),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if kept is None else kept,
            stderr=said if kept is None else kept,
            preexec_fn=born_of(os.getpid()),
        )
        asked = is_closing = False
        while child.poll() is None:
            time.sleep(_LOOK_S)
            # Cancelled by the one who asked, or he is gone: the scheduler forgets the task. A
            # worker that lost its scheduler closes, and hears of nothing any more.
            known = worker.state.tasks.get(task)
            is_closing = worker.status in (Status.closing, Status.closed, Status.failed)
            if not asked and (is_closing or known is None or known.state == "cancelled"):
                child.terminate()
                asked = True
        said.seek(max(0, said.seek(0, 2) - _SAID_BYTES))
        words_said = said.read().decode(errors="replace").strip()
        return child.returncode, words_said, asked and is_closing


def _is_seen(meeting: Path) -> bool:
    deadline_s = time.monotonic() + _FOLDER_S
    while not meeting.exists():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_LOOK_S)
    return True

"""What does a worker of a Dask cluster do for a run? It runs a ``ptyrun run`` as its child."""

from __future__ import annotations

import os
import pickle
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptyrun.host.children import born_of, ptyrun_words

_LOOK_S = 0.1
_FOLDER_S = 0.5  # a network folder may show a new file a moment late
_SAID_BYTES = 1 << 16

# How a child ended: its exit code, the end of what it said, and whether the worker ended it because
# the worker itself is closing. Plain types: the scheduler may have no ptyrun.
Report = tuple[int, str, bool]


def packed(words: list[str], meeting: Path) -> bytes:
    """Pack a call of :func:`compute_here`, which is made where it is unpacked.

    The scheduler unpacks the function and the arguments of each task; bytes it leaves alone, so
    that it needs no ptyrun.
    """
    return pickle.dumps(_Call(words, str(meeting)))


@dataclass(frozen=True)
class _Call:
    words: list[str]
    meeting: str

    def __reduce__(self) -> tuple[Any, tuple[list[str], str]]:
        return compute_here, (self.words, self.meeting)


def compute_here(words: list[str], meeting: str) -> Report | None:
    """Run ptyrun as a child of this worker, until it ends or is not wanted any more.

    Parameters
    ----------
    words : list of str
        Those after ``ptyrun``.
    meeting : str
        A file in the run's folder that was made for this window.

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
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            ptyrun_words(*words),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
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

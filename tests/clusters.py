"""A Dask cluster of processes of this machine, whose parts tests begin and kill."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.paced import until

DASK = [sys.executable, "-m", "dask"]


def without_ptyrun(folder: Path) -> str:
    """A PYTHONPATH with which `import ptyrun` fails, as where it is not installed."""
    site = folder / "without"
    site.mkdir(exist_ok=True)
    said = "raise ModuleNotFoundError(\"No module named 'ptyrun'\", name='ptyrun')\n"
    (site / "ptyrun.py").write_text(said)
    return str(site)


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder: Path, environment: Callable[[], Mapping[str, str]]) -> None:
        self._file = folder / "scheduler.json"
        self._folder = folder
        self._environment = environment
        self._begun: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def scheduler(self) -> str:
        """Begin one that has no ptyrun; return its address."""
        words = ("--no-dashboard", "--host", "127.0.0.1", "--port", "0")
        self._begin("scheduler", *words, PYTHONPATH=without_ptyrun(self._folder))
        # The file appears empty first.
        until(lambda: self._file.exists() and self._file.read_text().endswith("}"))
        return str(json.loads(self._file.read_text())["address"])

    def _begin(
        self, kind: str, *words: str, before: Sequence[str] = (), **variables: str
    ) -> psutil.Process:
        log = (self._folder / f"{kind}.log").open("ab")
        process = subprocess.Popen(
            [*before, *DASK, kind, *words, "--scheduler-file", str(self._file)],
            env={**self._environment(), **variables},
            cwd=self._folder,
            stdout=log,
            stderr=log,
        )
        log.close()
        self._begun.append(process)
        return psutil.Process(process.pid)

    def worker(self, before: Sequence[str] = (), **variables: str) -> psutil.Process:
        """Begin one, in that environment and *variables*; *before* stands before it."""
        local = ("--local-directory", str(self._folder), "--no-dashboard", "--no-nanny")
        words = (*local, "--nthreads", "1", "--host", "127.0.0.1")
        return self._begin("worker", *words, before=before, **variables)

    def send_scheduler(self, number: int) -> None:
        self._begun[0].send_signal(number)

    def end(self) -> None:
        for process in self._begun:
            process.kill()
            process.wait()


@contextmanager
def running(folder: Path, environment: Callable[[], Mapping[str, str]]) -> Iterator[Cluster]:
    """Give a cluster that has a scheduler; all that was begun in it ends with the test."""
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    folder.mkdir()
    cluster = Cluster(folder, environment)
    try:
        cluster.address = cluster.scheduler()
        yield cluster
    finally:
        cluster.end()

"""Who runs the trials, and sees that none hangs, dies or takes all memory?"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
CPU_S = 10.0
# A machine on which much else runs gives a process little of each second; one that waits gets none.
WALL_S = 120.0
START_S = 600.0
RSS_BYTES = 2 << 30
LOOK_S = 0.2
PER_PROCESS = 400  # trials, after which a fresh process goes on


@dataclass(frozen=True)
class Outcome:
    """What came of one trial; ``found`` is empty where all was explained."""

    kind: str
    number: int
    found: tuple[str, ...] = ()
    cpu_s: float = 0.0
    rss_mb: int = 0


class UnfitError(Exception):
    """A good file is refused: nothing is learnt from spoilt ones."""


@dataclass
class Member:
    """A process of its own that tries spoilt files of one kind."""

    work: Path
    kind: str
    seed: int
    tried: int = 0
    process: subprocess.Popen[str] | None = None
    place: Any = field(default=None)

    def begin(self) -> None:
        """Start it, and wait until a good file was read."""
        self.place = self.place or tempfile.TemporaryDirectory(prefix="place-", dir=self.work)
        words = [sys.executable, "-P", "-m", "tests.fuzz.child", str(self.work), self.place.name]
        self.tried = 0
        self.said = (Path(self.place.name) / "said").open("w")
        self.process = subprocess.Popen(
            [*words, self.kind, str(self.seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            env=_environment(),
            start_new_session=True,
        )
        answer, why = self._answer(START_S, START_S)
        if answer is None or "ready" not in answer:
            unfit = (answer or {}).get("unfit", why)
            self.end()
            raise UnfitError(f"{self.kind}: {unfit}")

    def try_out(self, number: int) -> Outcome:
        """Try one; a process that hangs, dies or swells is ended, and what it did is told."""
        if self.process is None or self.tried >= PER_PROCESS:
            self.end()
            self.begin()
        assert self.process is not None
        assert self.process.stdin is not None
        self.tried += 1
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{number}\n")
            self.process.stdin.flush()
        answer, why = self._answer(CPU_S, WALL_S)
        if answer is None:
            self.end()
            return Outcome(self.kind, number, (why,))
        return Outcome(self.kind, number, tuple(answer["found"]), answer["cpu_s"], answer["rss_mb"])

    def _answer(self, cpu_s: float, wall_s: float) -> tuple[dict[str, Any] | None, str]:
        """Wait for a line; None and why, if none comes."""
        assert self.process is not None
        stream = self.process.stdout
        assert stream is not None
        began_s, used_s = time.monotonic(), self._used()[0]
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while not selector.select(LOOK_S):
                now_s, rss = self._used()
                if rss > RSS_BYTES:
                    return None, f"it takes {rss >> 20} MiB of memory\n{self._where()}"
                if now_s - used_s > cpu_s:
                    return None, f"it takes more than {cpu_s:g} s of CPU time\n{self._where()}"
                if time.monotonic() - began_s > wall_s:
                    return None, f"it hangs: no end within {wall_s:g} s\n{self._where()}"
        line = stream.readline()
        if line:
            return json.loads(line), ""
        code = self.process.wait()
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return None, f"it dies: {name}\n{self._where()}"

    def _used(self) -> tuple[float, int]:
        assert self.process is not None
        cpu_s, rss = 0.0, 0
        with suppress(psutil.Error):
            process = psutil.Process(self.process.pid)
            for each in [process, *process.children(recursive=True)]:
                with suppress(psutil.Error):
                    times = each.cpu_times()
                    cpu_s += times.user + times.system
                    rss += each.memory_info().rss
            own = process.cpu_times()
            cpu_s += own.children_user + own.children_system
        return cpu_s, rss

    def _where(self) -> str:
        """The last words on stderr: where faulthandler saw it, if a signal ended it."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGABRT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        text = Path(self.said.name).read_text(errors="replace")
        text = "\n".join(line for line in text.splitlines() if "Extension modules:" not in line)
        return text[-6000:]

    def end(self) -> None:
        """Leave nothing of it running."""
        if self.process is None:
            return
        with suppress(psutil.Error):
            for each in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    each.kill()
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self.said.close()
        self.process = None


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONFAULTHANDLER": "1", "PYTHONPATH": str(ROOT)}


def run(work: Path, kind: str, seed: int, numbers: list[int]) -> Iterator[Outcome]:
    """Try spoilt files of one kind by their numbers.

    Raises
    ------
    UnfitError
        If already a good file is refused.
    """
    member = Member(work, kind, seed)
    try:
        for number in numbers:
            yield member.try_out(number)
    finally:
        member.end()
        if member.place is not None:
            member.place.cleanup()

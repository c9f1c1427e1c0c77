"""Does a study come through a SIGKILL in each of its stages, and how long does all of it take?

Two doses, one view, both splits, from nothing to the ten checks: undisturbed, then with a kill in
each stage, then once more after ``--clobber``. Networks and objects are small.
"""

from __future__ import annotations

import queue
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks.figures import Figure, Scale
from benchmarks.sameness import differences, n_compared
from ptyrun.errors import ExitCode
from ptyrun.host.children import ptyrun_words

AIM_S = 900.0
WINDOW_S = 60.0
MOST_WINDOWS = 400
PATIENCE_S = 3600.0
PATCH_PX = 32
ALL_PASSED = ("10 of 10 checks passed", "no comparisons to summarize and verify")
BEGUN, DONE = re.compile(r"(\S+): begun"), re.compile(r"(\S+): done in ")
STUDY = """
name = "kills"
hub = "hub"
base-npz = "base.npz"
dose = {doses}
view = ["dense"]
splits = {splits}
upto = "{upto}"
n-groups = 32
neighbor-count = 7
debug-groups = {chunk}
chunk-groups = {chunk}
batch-groups = 8

[training]
pinn-epochs = 2
baseline-epochs = 2
pinn-set = ["stages=1", "width=4", "batch_groups=8"]
baseline-set = ["fine_width=4", "coarse_width=8", "batch_frames=8"]

[reconstruction]
epochs = {epochs}
"""


@dataclass(frozen=True)
class Size:
    """How large the study is."""

    doses: tuple[int, ...] = (1000, 10000)
    splits: tuple[str, ...] = ("train", "test")
    side_px: int = 128
    n_positions: int = 240
    chunk_groups: int = 32
    epochs: int = 10
    upto: str = "comparisons"


QUICK = Size((1000,), ("test",), side_px=96, n_positions=80, chunk_groups=8, epochs=2)


def write_study(folder: Path, size: Size) -> Path:
    """Write a study.toml, and the object and probe it begins with; give its place."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: size.side_px, : size.side_px] / size.side_px
    spokes = np.sin(12 * np.arctan2(y - 0.5, x - 0.5)) > 0
    image = (0.7 + 0.3 * spokes) * np.exp(1j * (spokes + np.sin(9 * x) * np.cos(7 * y)))
    v, u = np.mgrid[:PATCH_PX, :PATCH_PX] - PATCH_PX // 2
    probe = np.exp(-(u**2 + v**2) / 60) * np.exp(0.02j * (u**2 + v**2))
    positions = rng.uniform(PATCH_PX / 2, size.side_px - PATCH_PX / 2, (2, size.n_positions))
    np.savez(
        folder / "base.npz",
        objectGuess=image.astype(np.complex64),
        probeGuess=probe.astype(np.complex64),
        xcoords=positions[0],
        ycoords=positions[1],
    )
    text = STUDY.format(
        doses=list(size.doses),
        splits=[*size.splits],
        chunk=size.chunk_groups,
        epochs=size.epochs,
        upto=size.upto,
    ).replace("'", '"')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder / "study.toml"


@dataclass
class Disturbed:
    """A study that is made window by window, and what happened to it meanwhile.

    Attributes
    ----------
    config : Path
    took_s : dict of float
        From the beginning to the end of each stage, as an undisturbed session saw it.
    killed, missed : set of str
        Stages that were cut off by SIGKILL; those that were faster than the blow.
    """

    config: Path
    jobs: int = 2
    dice: random.Random = field(default_factory=lambda: random.Random(14))
    took_s: dict[str, float] = field(default_factory=dict)
    killed: set[str] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)
    n_windows: int = 0
    window_s: float = WINDOW_S

    @property
    def hub(self) -> Path:
        """The study's folder."""
        return self.config.parent / "hub"

    def made(self, *first: str, expected_s: dict[str, float] | None = None) -> None:
        """Let windows make it; with *expected_s*, each stage is killed once at a random moment.

        Only the first window is told the words of *first*. The blow falls on the session, and with
        it on all that it began, or on the stage's own process, in turns.

        Raises
        ------
        RuntimeError
            If it fails, or does not end.
        """
        words: Sequence[str] = first
        for _ in range(MOST_WINDOWS):
            code, said = self._window(words, expected_s)
            words = ()
            if code == ExitCode.COMPLETE:
                if not any(each in said for each in ALL_PASSED):
                    raise RuntimeError(f"{ALL_PASSED[0]!r} was not said: {said}")
                return
            if code == ExitCode.FAILED and (found := re.search(r"use --window (\d+)s", said)):
                self.window_s = max(2 * self.window_s, float(found[1]))  # a busy machine
            elif code not in (-signal.SIGKILL, ExitCode.INCOMPLETE) and "(killed)" not in said:
                raise RuntimeError(f"a window ended with {code}: {said}")
        raise RuntimeError(f"{MOST_WINDOWS} windows did not do")

    def _window(self, words: Sequence[str], expected_s: dict[str, float] | None) -> tuple[int, str]:
        self.n_windows += 1
        line = ptyrun_words(
            *("study", "run", "--config", str(self.config), "--jobs", str(self.jobs)),
            *("--window", f"{self.window_s:.0f}s", *words),
        )
        with subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as session:
            said: list[str] = []
            begun_s: dict[str, float] = {}  # of stages at work
            blows_s: dict[str, float] = {}
            for text in _lines(session):
                if text is None:
                    for key in [key for key, at_s in blows_s.items() if time.monotonic() >= at_s]:
                        del blows_s[key]
                        said.append(self._kill(session, key, begun_s))
                    continue
                said.append(text)
                if found := BEGUN.match(text):
                    key = found[1]
                    begun_s[key] = time.monotonic()
                    if expected_s is not None and key not in self.killed | self.missed:
                        share = self.dice.uniform(0.1, 0.8)
                        blows_s[key] = begun_s[key] + share * expected_s.get(key, 1.0)
                elif (found := DONE.match(text)) and found[1] in begun_s:
                    key = found[1]
                    self.took_s[key] = time.monotonic() - begun_s.pop(key)
                    if blows_s.pop(key, None) is not None:
                        self.missed.add(key)
        name = f"{self.config.parent.name}, window {self.n_windows}"
        last = said[-1].strip() if said else ""
        print(f"{name}: exit code {session.returncode}; {last}", file=sys.stderr, flush=True)
        return session.returncode, "".join(said)

    def _kill(self, session: subprocess.Popen[str], key: str, at_work: Collection[str]) -> str:
        """Kill the session and with it all that is at work, or the process of one stage."""
        if self.dice.random() < 0.5:
            session.kill()
            self.killed.update(at_work)
            return "(killed)\n"
        with suppress(psutil.Error):
            for child in psutil.Process(session.pid).children():
                if key in child.cmdline():
                    child.kill()
                    self.killed.add(key)
        return "(killed)\n"


def _lines(process: subprocess.Popen[str]) -> Iterator[str | None]:
    """Give what a process says, and None every now and then while it is silent."""
    said: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.put(line)
        said.put("")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        try:
            line = said.get(timeout=0.02)
        except queue.Empty:
            yield None
            continue
        if not line:
            return
        yield line
    process.kill()


def measure(scale: Scale) -> list[Figure]:
    """Make the study three times, and compare."""
    return measured(scale.scratch, QUICK if scale.quick else Size())


def measured(folder: Path, size: Size) -> list[Figure]:
    """Make a study of that size undisturbed, with kills, and once more; compare."""
    began_s, began_cpu_s = time.monotonic(), _processor_s()
    calm = Disturbed(write_study(folder / "calm", size))
    calm.made()
    calm_s, calm_cpu_s = time.monotonic() - began_s, _processor_s() - began_cpu_s
    study = Disturbed(write_study(folder / "killed", size))
    study.made(expected_s=calm.took_s)
    after_kills = differences(calm.hub, study.hub)
    study.missed.clear()  # what was faster than its blow has its turn now
    study.made("--clobber", expected_s=calm.took_s)
    after_clobber = differences(calm.hub, study.hub)
    total_s, cpu_s = time.monotonic() - began_s, _processor_s() - began_cpu_s
    kinds = Counter(re.split(r"-(?=dose_)", key)[0] for key in sorted(study.killed))
    every = f"{len(calm.took_s)} stages, {study.jobs} at a time; all three, to 10 of 10 checks"
    looked_at = f"of {n_compared(calm.hub)} files: "
    met = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
    return [
        Figure("total time", total_s, "s", AIM_S, note=every),
        Figure("processor time", cpu_s, "s", note="of all processes that were not killed"),
        Figure("undisturbed", calm_s, "s", note=f"processor: {calm_cpu_s:.0f} s"),
        Figure("longest window", study.window_s, "s", WINDOW_S, note=f"{study.n_windows} windows"),
        Figure("stages that were killed", len(study.killed), "", note=met),
        Figure("stages that no kill met", len(study.missed), "", 0, note=_few(study.missed)),
        *(
            Figure(f"differences after {what}", len(found), "", 0, note=looked_at + _few(found))
            for what, found in (("kills", after_kills), ("--clobber", after_clobber))
        ),
    ]


def _few(names: Sequence[str] | set[str]) -> str:
    listed = sorted(names)
    return (
        ", ".join(listed[:4]) + (f" and {len(listed) - 4} more" if len(listed) > 4 else "")
        or "none"
    )


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

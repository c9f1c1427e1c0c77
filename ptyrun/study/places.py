"""Where are a session's stages made: by processes here, or by the workers of a Dask cluster?"""

from __future__ import annotations

import math
import secrets
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Protocol, Self

from ptyrun.durations import format_duration
from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode
from ptyrun.host import locks
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.children import Parent, ptyrun_words
from ptyrun.host.signals import Interrupts
from ptyrun.parallel.places import Ended, Lost, Places, meeting_in
from ptyrun.parallel.scheduler import connected
from ptyrun.progress import Watcher
from ptyrun.study import stage_log
from ptyrun.study.hub import Hub

LOOK_S = 0.5  # how often the scheduler is asked who is there
CLOSING_S = 6.0  # after a signal: until the stages that are made have ended in order


@dataclass(frozen=True)
class Over:
    """A stage's process that ended: its exit code or minus its signal; None where it was lost."""

    key: str
    code: int | None
    how: str = ""


class Workplace(Protocol):
    """Where a session's stages are made."""

    lead_s: float  # by so much a stage's window ends before that of its session

    @property
    def is_asked_to_end(self) -> bool:
        """Whether a signal came."""

    @property
    def may_come(self) -> bool:
        """Whether there may be room later though there is none now."""

    def has_room(self, n_ready: int) -> bool:
        """Whether one more stage can begin; *n_ready* could."""

    def begin(self, key: str, words: Sequence[str]) -> bool:
        """Begin ``ptyrun WORDS``, which make a stage; False after a signal."""

    def ended(self) -> list[Over]:
        """Those that ended since the last call."""

    def ask_to_end(self, key: str) -> None:
        """Let a stage that is being made end in order."""


class Processes:
    """Processes of this machine, up to *most* side by side."""

    lead_s = 0.6
    may_come = False

    def __init__(self, hub: Hub, most: int) -> None:
        self._hub, self._most = hub, most
        self._parent = Parent()
        self._at_work: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._parent.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._parent.__exit__(*exc)

    @property
    def is_asked_to_end(self) -> bool:
        """Whether a signal came; it was handed on."""
        return self._parent.caught is not None

    def has_room(self, n_ready: int) -> bool:
        """Whether fewer than the most are at work."""
        return len(self._at_work) < self._most

    def begin(self, key: str, words: Sequence[str]) -> bool:
        """Begin one, as a child of this process."""
        with stage_log.opened(self._hub, key) as log:
            child = self._parent.begin(ptyrun_words(*words), stdout=log, stderr=log)
        if child is not None:
            self._at_work[key] = child
        return child is not None

    def ended(self) -> list[Over]:
        """Collect the children that ended."""
        codes = {child.pid: code for child, code in self._parent.ended()}
        over = [key for key, child in self._at_work.items() if child.pid in codes]
        return [Over(key, codes[self._at_work.pop(key).pid]) for key in over]

    def ask_to_end(self, key: str) -> None:
        """Send it SIGTERM."""
        self._at_work[key].terminate()


class Cluster:
    """Workers of a Dask cluster, which see the hub under one path."""

    lead_s = 1.6  # a worker hears late that it shall begin, and is heard late

    def __init__(self, places: Places, hub: Hub, window: Window, watcher: Watcher) -> None:
        self._places, self._hub = places, hub
        self._window, self._watcher = window, watcher
        self._interrupts = Interrupts()
        self._at_work: dict[str, str] = {}  # worker: stage
        self._closing: dict[str, float] = {}  # stage: until when it is waited for
        self._looked_s = -math.inf
        self._has_said = False

    def __enter__(self) -> Self:
        self._interrupts.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        # What went wrong before, a lost scheduler perhaps, is what has to be told.
        with suppress(Exception) if kind else nullcontext():
            self._places.cancel()
        self._interrupts.__exit__(kind, *exc)

    @property
    def is_asked_to_end(self) -> bool:
        """Whether a signal came."""
        return self._interrupts.reason is not None

    @property
    def may_come(self) -> bool:
        """Workers may always join."""
        return True

    def has_room(self, n_ready: int) -> bool:
        """Whether a worker is free; an adaptive cluster hears how many would be."""
        self._places.wish(n_ready - len(self._places.free))
        if self._places.free:
            return True
        if not self._at_work:
            self._places.require_able()
            self._say_that_it_waits()
        return False

    def _say_that_it_waits(self) -> None:
        if not self._has_said:
            self._has_said = True
            ATTEMPTS.withdraw(has_waited=True)  # no window is too short where nobody could work
            left_s = self._window.remaining_s
            until = "" if math.isinf(left_s) else f", for {format_duration(left_s)} at most"
            self._watcher.note(f"waiting for workers of the cluster{until}")

    def begin(self, key: str, words: Sequence[str]) -> bool:
        """Let a free worker run it."""
        if self.is_asked_to_end:
            return False
        worker = self._places.free[0]
        self._places.begin(worker, words, self._hub.log(key).absolute())
        self._at_work[worker] = key
        return True

    def ended(self) -> list[Over]:
        """Ask the scheduler, now and then, whose command ended and who is gone."""
        if self.is_asked_to_end:
            for key in [*self._at_work.values()]:
                self.ask_to_end(key)
        over = [Over(key, ExitCode.INCOMPLETE) for key in self._closed()]
        if time.monotonic() - self._looked_s >= LOOK_S:
            self._looked_s = time.monotonic()
            over += [self._over(found) for found in self._places.look()]
        return over

    def _closed(self) -> list[str]:
        closed = [
            key
            for key, until_s in self._closing.items()
            if time.monotonic() > until_s or not locks.is_held(self._hub.stage_lock(key))
        ]
        for key in closed:
            del self._closing[key]
        return closed

    def _over(self, found: Ended | Lost) -> Over:
        key = self._at_work.pop(found.worker)
        if isinstance(found, Ended):
            return Over(key, ExitCode.INCOMPLETE if found.was_closing else found.code)
        self._watcher.note(f"{found.worker} {found.how}; what others make goes on")
        return Over(key, None, found.how)

    def ask_to_end(self, key: str) -> None:
        """Have its worker close it; it ends when it lets go of the stage's lock."""
        worker = next((worker for worker, each in self._at_work.items() if each == key), None)
        if worker is None:  # a signal had it closed already
            return
        del self._at_work[worker]
        self._places.close(worker)
        self._closing[key] = time.monotonic() + CLOSING_S


@contextmanager
def workplace(
    hub: Hub, jobs: int, dask: str | None, window: Window, watcher: Watcher
) -> Iterator[Workplace]:
    """Give processes of this machine, or (*dask*: a scheduler's address) a cluster's workers.

    Raises
    ------
    ClusterError
        If no scheduler answers.
    PredictorUnavailableError
        If Dask is not installed.
    """
    if dask is None:
        with Processes(hub, jobs) as here:
            yield here
        return
    with ExitStack() as opened:
        client = opened.enter_context(connected(dask, window.remaining_s))
        meeting = opened.enter_context(meeting_in(hub.root.absolute()))
        places = Places(client, dask, secrets.token_hex(4), hub.root, meeting)
        yield opened.enter_context(Cluster(places, hub, window, watcher))

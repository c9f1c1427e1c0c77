"""One session on a hub: which stages are begun when, and why does it end?

Each stage is a process of its own (`ptyrun study stage KEY`), so that none of them can harm the
session, and sessions on one hub share the stages out by their locks.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ptyrun.durations import format_duration
from ptyrun.engine.window import MARGIN, SLACK, Window
from ptyrun.errors import BusyError, ExitCode, IdentityError, UsageError, WindowTooShortError
from ptyrun.host import durable, listing, locks
from ptyrun.host.attempts import ATTEMPTS, IN_A_ROW
from ptyrun.host.locks import Lock
from ptyrun.host.signals import ASKED
from ptyrun.progress import Watcher
from ptyrun.study import archive, identity, known_times, making, progress, stage_log
from ptyrun.study.contents import Contents
from ptyrun.study.graph import Graph
from ptyrun.study.hub import Hub
from ptyrun.study.places import Workplace
from ptyrun.study.plan import Study
from ptyrun.study.record import Attempt
from ptyrun.study.state import Standing, State, survey

POLL_S = 0.05
LOOK_S = 1.0  # how often stages that other sessions make are looked at
LEAST_S = 1.0  # of a window in which a process is begun
MOST_LOSSES = 2  # of workers with the same stage
MOST_SESSIONS = 64

Words = Callable[[str, float], Sequence[str]]


@dataclass(frozen=True)
class Outcome:
    """How a session ended: the exit code, the stages as they are, and those it made."""

    stop: ExitCode
    standings: Mapping[str, Standing]
    made: tuple[str, ...] = ()

    def of(self, *states: State) -> list[Standing]:
        """The stages in one of *states*."""
        return [each for each in self.standings.values() if each.state in states]


@contextmanager
def joined(study: Study, *, alone: bool = False) -> Iterator[int]:
    """Be one of the sessions on a hub, or (*alone*) the only one as this begins; give its number.

    Raises
    ------
    BusyError
        If another session works and this one must be alone.
    IdentityError
        If another session works on the hub with other options.
    """
    hub, options = study.hub, study.options
    durable.make_folder(hub.sessions)
    with locks.Lock(hub.door, momentary=True) as door:
        locks.exclude(door, "begins a session on this hub")
        busy = [path for path in listing.matching(hub.sessions, "*.lock") if locks.is_held(path)]
        if busy and alone:
            raise BusyError(
                f"another session works on {hub.root}",
                why=f"{busy[0]} is held: {Lock(busy[0]).holder() or 'by an unknown process'}",
                do="wait until it ends, then give this command again",
            )
        if busy and (said := identity.differences(options, hub)):
            raise IdentityError(
                f"another session works on {hub.root} with other options",
                why="; ".join(said),
                do="use the same options, another hub, or wait for its end",
            )
        number, lock = _free(hub)
        identity.keep(options, hub)
    with lock:
        yield number


def _free(hub: Hub) -> tuple[int, Lock]:
    for number in range(MOST_SESSIONS):
        lock = Lock(hub.sessions / f"{number}.lock")
        if lock.try_acquire():
            return number, lock
    raise BusyError(
        f"{MOST_SESSIONS} sessions work on {hub.root}",
        why="no more than that may work on one hub",
        do="wait until one of them ends",
    )


class Session:
    """Makes the stages of a study that are not done.

    Parameters
    ----------
    graph : Graph
    words : callable
        Given a stage's key and the seconds it may take, gives what ptyrun is told to make it.
    window : Window
    watcher : Watcher
    places : Workplace
        Where the stages are made.
    number : int
        Of this session among those on the hub: each begins with another stage.
    """

    def __init__(
        self,
        graph: Graph,
        words: Words,
        window: Window,
        watcher: Watcher,
        places: Workplace,
        number: int = 0,
    ) -> None:
        self._number = number
        self._graph, self._hub = graph, graph.hub
        self._words, self._window, self._watcher, self._places = words, window, watcher, places
        self._contents = Contents()
        self._tried: set[str] = set()
        self._made: list[str] = []
        self._running: dict[str, _AtWork] = {}
        self._too_short: list[tuple[str, float]] = []
        self._waited_for = ""
        self._asked: set[str] = set()
        self._losses: Counter[str] = Counter()
        self._failed: set[str] = set()
        self._codes: set[int] = set()  # of what failed
        self._has_progressed = False
        self._cut_off: list[tuple[str, float]] = []
        self._done_before: frozenset[str] = frozenset()

    def run(self) -> Outcome:
        """Make what can be made, until all is done, nothing more can be, or the session must end.

        Raises
        ------
        WindowTooShortError
            If this window, or the third in a row, was too short for any progress.
        """
        archive.settle(self._hub)
        standings = self._look()
        self._done_before = _done(standings)
        making.sweep_all(self._hub, standings.values())
        while not self._places.is_asked_to_end and self._window.remaining_s > 0:
            is_taken = self._begin(standings)
            if not (self._running or is_taken or self._waits(standings)):
                break
            standings = self._wait(standings, is_taken=is_taken)
        while self._running and self._places.is_asked_to_end:
            self._collect()  # they were told, and end as windows do
            time.sleep(POLL_S)
        self._cut()
        return self._outcome(self._look(), is_asked=self._places.is_asked_to_end)

    def _look(self) -> dict[str, Standing]:
        return survey(self._graph, self._contents)

    def _waits(self, standings: Mapping[str, Standing]) -> bool:
        """Whether other sessions make something that this study still needs, or room may come."""
        others = [each for each in standings.values() if each.state is State.RUNNING]
        if others and self._waited_for != others[0].stage.key:
            self._waited_for = others[0].stage.key
            self._watcher.note(
                f"{self._waited_for} is being made by another process: {others[0].why}"
            )
        return bool(others) or (self._places.may_come and bool(self._ready(standings)))

    def _ready(self, standings: Mapping[str, Standing]) -> list[Standing]:
        return [s for s in standings.values() if s.is_ready and s.stage.key not in self._tried]

    def _begin(self, standings: Mapping[str, Standing]) -> bool:
        """Begin what there is room for; tell whether another session was faster with some."""
        ready, is_taken = self._ready(standings), False
        first = self._number % max(len(ready), 1)
        # What a window cut off comes last, so that the others are not held up by it.
        for standing in sorted((*ready[first:], *ready[:first]), key=known_times.was_cut):
            key = standing.stage.key
            if not self._places.has_room(len(ready)):
                break
            if locks.is_held(self._hub.stage_lock(key)):
                is_taken = True
                continue
            if not self._fits(standing, standings):
                continue
            self._tried.add(key)
            left_s = max(self._window.remaining_s - self._places.lead_s, LEAST_S / 2)
            words = self._words(key, left_s)
            stage_log.append(self._hub, key, f"{making.now()} ptyrun {' '.join(words)}")
            if not self._places.begin(key, words):
                break
            self._watcher.note(f"{key}: begun" + (f" ({standing.why})" if standing.why else ""))
            self._running[key] = _AtWork(standing, self._progress(standing))
        return is_taken

    def _fits(self, standing: Standing, standings: Mapping[str, Standing]) -> bool:
        """Whether what is left of the window holds a stage that cannot be divided."""
        left_s = self._window.remaining_s
        if math.isinf(left_s):
            return True
        # Of what can be divided, the next step alone.
        is_divisible = standing.stage.is_divisible
        known_s = (
            known_times.cut_s(standing)
            if is_divisible
            else known_times.known_s(standing, standings)
        )
        needed_s = max(LEAST_S, MARGIN * known_s)
        if left_s >= needed_s:
            return True
        if standing.stage.key not in dict(self._too_short):
            left, needed = format_duration(max(left_s, 0.0)), format_duration(needed_s)
            why = f"the rest of this window, {left}, is too short: it needs {needed}"
            self._watcher.note(f"{standing.stage.key}: not begun: {why}")
        self._too_short.append((standing.stage.key, needed_s))
        return False

    def _progress(self, standing: Standing) -> frozenset[str]:
        """Names of what is kept of a stage for later windows; a later state has another name."""
        return progress.kept(self._hub, standing.stage, standing.facts)

    def _wait(self, standings: dict[str, Standing], *, is_taken: bool) -> dict[str, Standing]:
        until_s = time.monotonic() + LOOK_S
        while time.monotonic() < until_s and not self._places.is_asked_to_end:
            if self._window.remaining_s <= 0:
                break
            if self._collect():
                return self._look()
            if self._window.remaining_s < self._places.lead_s:
                self._ask_to_end()
            time.sleep(POLL_S)
        is_shared = is_taken or any(
            each.state is State.RUNNING and key not in self._running
            for key, each in standings.items()
        )
        return self._look() if is_shared else standings

    def _ask_to_end(self) -> None:
        """Let those that still work end in order, before they are ended."""
        for key in self._running.keys() - self._asked:
            self._asked.add(key)
            self._places.ask_to_end(key)

    def _collect(self) -> bool:
        over = self._places.ended()
        for each in over:
            self._judge(self._running.pop(each.key), each.code, each.how)
        return bool(over)

    def _judge(self, child: _AtWork, code: int | None, how: str) -> None:
        stage = child.standing.stage
        now = survey(self._graph, self._contents)[stage.key]
        if now.state is State.DONE:
            self._note_progress()
            if code != ExitCode.COMPLETE:  # another process has made it, as the child says
                return
            self._made.append(stage.key)
            duration_s = 0.0 if now.record is None else now.record.duration_s
            self._watcher.note(f"{stage.key}: done in {format_duration(duration_s)}")
            return
        if self._progress(child.standing) - child.progress:
            self._note_progress()
        # Another process was faster, and may yet fail; or makes again what this stage needs.
        is_overtaken = code == making.OVERTAKEN or now.state is State.RUNNING
        if is_overtaken or (code == ExitCode.USAGE and now.waits_for):
            self._tried.discard(stage.key)
            return
        if code is None:
            self._losses[stage.key] += 1
            if self._losses[stage.key] < MOST_LOSSES:
                self._tried.discard(stage.key)
                return
            code = ExitCode.FAILED
        # Asked to end before it listened, it dies by the signal.
        was_asked = ASKED.was or stage.key in self._asked
        if code == ExitCode.INCOMPLETE or (code < 0 and was_asked):
            self._note_cut(child)
            return
        self._failed.add(stage.key)
        self._codes.add(code)
        attempt = now.attempt or Attempt(stage.key, child.standing.facts, making.now())
        if not attempt.error:
            words = f"its worker {how}" if how else _said_of(code)
            making.note_failure(self._hub, stage, attempt, words, self._hub.log(stage.key))
        log = self._hub.log(stage.key)
        self._watcher.warn(f"{stage.key}: failed: {attempt.error or words}; see {log}")

    def _note_progress(self) -> None:
        self._has_progressed = True
        ATTEMPTS.progressed()

    def _note_cut(self, child: _AtWork) -> None:
        had_s = time.monotonic() - child.began_s
        stage = child.standing.stage
        self._cut_off.append((stage.key, SLACK * had_s))
        kept = progress.said(self._hub, stage, child.progress, self._progress(child.standing))
        self._watcher.note(f"{stage.key}: not done yet: {kept}")

    def _cut(self) -> None:
        """Write down how long what was cut off has had: a later window must be longer."""
        for child in self._running.values():
            self._note_cut(child)
            stage = child.standing.stage
            if self._progress(child.standing) - child.progress:
                self._note_progress()
            if not stage.is_divisible:
                attempt = Attempt(stage.key, child.standing.facts, making.now())
                making.note_cut(self._hub, stage, attempt, time.monotonic() - child.began_s)
        self._running.clear()

    def _outcome(self, standings: dict[str, Standing], *, is_asked: bool) -> Outcome:
        left = [each for each in standings.values() if each.state is not State.DONE]
        failed = [each for each in left if each.stage.key in self._failed]
        stuck = [each for each in left if each not in failed and _is_stuck(each, failed)]
        stop = ExitCode.INCOMPLETE
        if not left:
            stop = ExitCode.COMPLETE
        elif failed and len(failed) + len(stuck) == len(left):
            is_blocked = self._codes == {ExitCode.BLOCKED}
            stop = ExitCode.BLOCKED if is_blocked else ExitCode.FAILED
        elif not is_asked and stuck and len(stuck) == len(left):
            raise UsageError(
                f"the stage {stuck[0].stage.key} cannot be made",
                why=stuck[0].why,
                do="put the file there, correct its path, or leave the stage out",
            )
        if stop is ExitCode.INCOMPLETE and not is_asked and not self._has_progressed:
            if any(each.state is State.RUNNING for each in left):
                ATTEMPTS.withdraw(has_waited=True)  # others may well progress
            elif _done(standings) - self._done_before:
                ATTEMPTS.progressed()  # others did
            else:
                self._require_progress()
        return Outcome(stop, standings, tuple(self._made))

    def _require_progress(self) -> None:
        if self._window.budget_s is None or (ATTEMPTS.before == 0 and not self._too_short):
            ATTEMPTS.fell_short()
            return
        elapsed_s = self._window.elapsed_s
        known = self._cut_off or self._too_short or [("a stage", elapsed_s)]
        key, needed_s = max(known, key=lambda each: each[1])
        enough_s = SLACK * (elapsed_s + needed_s)
        never_fits = not self._cut_off and needed_s > self._window.budget_s
        if never_fits or ATTEMPTS.before + 1 >= IN_A_ROW:
            raise WindowTooShortError(
                f"the window of {format_duration(self._window.budget_s)} is too short for {key}",
                why=f"it takes {format_duration(needed_s)} or more in one piece",
                do=f"use --window {math.ceil(enough_s)}s or more",
                enough_s=enough_s,
            )
        ATTEMPTS.fell_short()


@dataclass(frozen=True)
class _AtWork:
    """A stage that is being made for this session."""

    standing: Standing
    progress: frozenset[str]
    began_s: float = field(default_factory=time.monotonic)


def _done(standings: Mapping[str, Standing]) -> frozenset[str]:
    return frozenset(key for key, each in standings.items() if each.state is State.DONE)


def _said_of(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    killer = " (usually the out-of-memory killer)" if code == -9 else ""
    return f"it was killed by signal {-code}{killer}"


def _is_stuck(standing: Standing, failed: Sequence[Standing]) -> bool:
    return standing.state is State.BLOCKED or not {f.stage.key for f in failed}.isdisjoint(
        standing.waits_for
    )

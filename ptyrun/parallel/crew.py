"""What do workers have in common that work on one run side by side, in one window?

Each is a ``ptyrun run`` of its own that claims chunks; the crew shares out cores and quota, shows
everybody's progress as one, and says how the window ended.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from signal import Signals
from typing import Self

from ptyrun.comparison.run import Run
from ptyrun.config import SessionOptions
from ptyrun.engine import patience
from ptyrun.engine.ledger import SessionFile
from ptyrun.engine.window import Window
from ptyrun.engine.work import Outcome
from ptyrun.errors import ExitCode, NoProgressError
from ptyrun.host.attempts import ATTEMPTS, MORE
from ptyrun.progress import Watcher, predicting
from ptyrun.texts import counted

_LOOK_S = 0.1
LEAD_S = 0.3  # by so much a worker's window ends before that of the process that sums up
_A_MOMENT_S = 0.01  # a window that is used up: its workers say so, and it counts as one


class WorkerGroup:
    """Workers on one run, as the process sees them that sent for them.

    Attributes
    ----------
    name : str
        Every worker's session quotes it.
    folder, claims : Path
        The run's, and that of its claims.
    """

    def __init__(
        self, run_dir: Path, session: SessionOptions, watcher: Watcher, lead_s: float = LEAD_S
    ) -> None:
        run = Run(run_dir.resolve())
        manifest = run.manifest
        names = session.arms or [arm.name for arm in manifest.arms]
        self.name = secrets.token_hex(4)
        self.folder = run.folder
        ATTEMPTS.works_on(run.folder)
        self.claims = run.paths.claims
        self._session = session
        self._lead_s = lead_s
        self._watcher = watcher
        self._window = Window(session.window_s)
        self._ledger = run.ledger
        self._plans = [arm for arm in map(manifest.arm, names) if arm.n_chunks]
        self._names = [plan.name for plan in self._plans]
        self._shown: dict[str, int] = {}
        self._heard: dict[str, str] = {}
        self._ends: list[int] = []
        self._lost = 0
        self._items_left = self._ledger.progress.items_left(self._names)

    def __enter__(self) -> Self:
        for plan in self._plans:
            done = self._ledger.progress.arms[plan.name].items_committed
            self._shown[plan.name] = done
            self._watcher.begin(predicting(plan.label), plan.n_items, done)
        return self

    def __exit__(self, *exc: object) -> None:
        self.show()
        for plan in self._plans:
            self._watcher.end(predicting(plan.label))

    def show(self) -> None:
        """Read what the workers wrote down, and show it."""
        self._ledger.refresh()
        for plan in self._plans:
            done = self._ledger.progress.arms[plan.name].items_committed
            if done != self._shown[plan.name]:
                ATTEMPTS.progressed()
                self._watcher.advance(predicting(plan.label), done - self._shown[plan.name])
                self._shown[plan.name] = done

    def hear(self, worker: str, said: str) -> None:
        """Hand on what a worker says, once when several say the same."""
        if self._heard.setdefault(said, worker) == worker:
            self._watcher.note(said)

    @property
    def window_left_s(self) -> float | None:
        """Seconds left of the window, if it ends."""
        return None if self._session.window_s is None else self._window.remaining_s

    @property
    def chunks_left(self) -> int:
        """Chunks that the ledger does not name."""
        return self._ledger.progress.chunks_left(self._names)

    def places(self, n_workers: int) -> int:
        """How many of *n_workers* find something to do; one looks at the run in any case."""
        quota = self._session.max_chunks or n_workers
        return max(1, min(n_workers, self.chunks_left, quota))

    def words(self, place: int, n_workers: int) -> list[str]:
        """``run RUN ...``: what the worker in *place* of *n_workers* is told."""
        budget_s, quota = self._session.window_s, self._session.max_chunks
        # Each begins with another arm, so that they need not all load every model.
        first = place % max(1, len(self._plans))
        arms = self._names[first:] + self._names[:first]
        told = replace(
            self._session,
            window_s=budget_s and max(_A_MOMENT_S, round(self._left_s(budget_s), 3)),
            max_chunks=quota and _share(quota, place, n_workers),
            arms=tuple(arms) or None,
            workers=1,
            dask=None,
            crew=self.name,
        )
        return ["run", str(self.folder), *told.words()]

    def _left_s(self, budget_s: float) -> float:
        return budget_s - self._window.elapsed_s - self._lead_s

    def lost(self, worker: str, how: str) -> None:
        """Say that a worker is gone without a word of its own."""
        self._lost += 1
        self._watcher.note(f"{worker} {how}; what it committed is kept, the others go on")

    def ended(self, worker: str, code: int) -> None:
        """Note a worker's exit code, or minus the signal that ended it."""
        self._ends.append(code)
        if code < 0:
            self.lost(worker, f"was killed by {Signals(-code).name}")

    def await_closing(self, patience_s: float) -> None:
        """Wait until the sessions of those who are not lost closed, and note how they did."""
        deadline_s = time.monotonic() + patience_s
        while time.monotonic() < deadline_s:
            self.show()
            if sum(f.closed is None for f in self._sessions()) <= self._lost:
                break
            time.sleep(_LOOK_S)
        self._ends = [f.closed.exit_code for f in self._sessions() if f.closed]

    def _sessions(self) -> list[SessionFile]:
        return [file for file in self._ledger.sessions.values() if file.window == self.name]

    def outcome(self, *, interrupted: bool, nobody: str = "") -> Outcome:
        """Say how the window ended.

        Parameters
        ----------
        nobody : str
            Why no worker began, if none did.

        Raises
        ------
        NoProgressError
            If every worker died and nothing was committed.
        WindowTooShortError
            If this is the third window in a row of this command that came to nothing.
        """
        self.show()
        sessions = self._sessions()
        chunks_done = sum(session.commits for session in sessions)
        stop = self._stop(chunks_done, interrupted=interrupted)
        opened = next((session.opened for session in sessions if session.opened), None)
        items_left = self._ledger.progress.items_left(self._names)
        reason = self._reason(stop, sessions, nobody)
        enough_s = self._enough_s(sessions) if not chunks_done and not interrupted else None
        if stop is ExitCode.INCOMPLETE and enough_s is not None:
            # The workers themselves asked the ledger, each with the window that it was given.
            patience.raise_if_too_short(patience.Row(), reason, enough_s)
        elif stop is ExitCode.INCOMPLETE:
            reasons = {session.closed.reason for session in sessions if session.closed}
            ATTEMPTS.withdraw(has_waited=bool(nobody) or reasons == {patience.WAITED})
        return Outcome.of(
            self._ledger.progress,
            self._names,
            stop,
            reason,
            (chunks_done, max(0, self._items_left - items_left)),
            window=(self._session.window_s, opened.startup_s if opened else 0.0),
            workers=max(1, len(sessions)),
            interrupted=interrupted,
            enough_s=enough_s,
        )

    def _stop(self, chunks_done: int, *, interrupted: bool) -> ExitCode:
        codes: Collection[int] = self._ends
        if ExitCode.BLOCKED in codes:
            return ExitCode.BLOCKED
        if not self.chunks_left and (ExitCode.COMPLETE in codes or any(c < 0 for c in codes)):
            return ExitCode.COMPLETE
        if interrupted or (ExitCode.INCOMPLETE in codes and chunks_done):
            return ExitCode.INCOMPLETE
        for code in (ExitCode.USAGE, ExitCode.FAILED):
            if code in codes:
                return code
        if codes and all(code < 0 for code in codes) and not chunks_done:
            killers = Counter(Signals(-code).name for code in codes)
            raise NoProgressError(
                f"{counted(len(codes), 'worker')} died, and nothing was committed",
                why=", ".join(f"{count} by {name}" for name, count in killers.items())
                + "; an unexplained SIGKILL is usually the out-of-memory killer",
                do="free memory, give fewer workers, or plan with smaller batches and chunks",
            )
        return ExitCode.INCOMPLETE

    def _enough_s(self, sessions: Collection[SessionFile]) -> float | None:
        """How long the window should have been, if nothing came of it for want of time."""
        closed = [session.closed for session in sessions if session.closed]
        found = [each.enough_s for each in closed if each.enough_s is not None]
        if found:
            return max(found)
        said = sum(each.exit_code == ExitCode.INCOMPLETE for each in closed)
        was_cut = self._ends.count(ExitCode.INCOMPLETE) > said or (
            len(sessions) - len(closed) > self._lost
        )
        return MORE * (self._session.window_s or 0.0) if was_cut else None

    def _cut(self) -> bool:
        """Whether sessions began that have not said how they ended."""
        return any(session.closed is None for session in self._sessions())

    def _reason(self, stop: ExitCode, sessions: Collection[SessionFile], nobody: str) -> str:
        if stop is ExitCode.COMPLETE:
            return "all chunks are committed"
        closed = [session.closed for session in sessions if session.closed]
        reasons = [each.reason for each in closed if each.exit_code == stop]
        if reasons:
            return Counter(reasons).most_common(1)[0][0]
        if nobody:
            return nobody
        if stop is ExitCode.INCOMPLETE and (ExitCode.INCOMPLETE in self._ends or self._cut()):
            return "the window ended in the middle of the work"
        # Who asked for quiet did not see what they said; an error comes last.
        last = next(reversed(self._heard), "they said nothing")
        return f"its workers could not work: {last}"


def _share(whole: int, place: int, n_places: int) -> int:
    return whole // n_places + (place < whole % n_places)

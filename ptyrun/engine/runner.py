"""One session on a run: from opening it to the reason why it ends.

A session may be killed at any point, and any number of them may work on one run at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from ptyrun.engine import patience
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.arm_run import ArmRun, Observer, SessionContext, Stop, opened_work
from ptyrun.engine.integrity import size_damages
from ptyrun.engine.ledger import SUFFIX, Ledger
from ptyrun.engine.opening import OpenedSession
from ptyrun.engine.progress import MAX_ATTEMPTS
from ptyrun.engine.repair import forgotten
from ptyrun.engine.schedule import Quota, Schedule
from ptyrun.engine.store import compression_of, require_planned
from ptyrun.engine.sweep import sweep
from ptyrun.engine.work import Event, Listener, OpenWork, Outcome
from ptyrun.errors import CutOffError, ExitCode, NotOpenedError, StorageError
from ptyrun.host import durable
from ptyrun.host.advice import advise
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.signals import Interrupts

WAIT_S = 0.2


def work(
    opened: OpenedSession,
    open_work: OpenWork,
    *,
    arms: Sequence[str] | None = None,
    max_chunks: int | None = None,
    progress: Listener | None = None,
    max_attempts: int = MAX_ATTEMPTS,
    interrupts: Interrupts | None = None,
) -> Outcome:
    """Compute what a run still lacks, as far as the window reaches, in a session that was opened.

    Parameters
    ----------
    opened : OpenedSession
    open_work : callable
        Loads an arm's model; called only for arms that lack chunks, one after the other, with the
        arm's plan and what is known of the batch that fits into memory.
    arms : sequence of str, optional
        Work on these only.
    max_chunks : int, optional
        Begin no more than as many chunks.
    progress : callable, optional
        Told each `Event`, one at a time, from this and from the writer thread.
    max_attempts : int
        After as many failures, or at least as many deaths, a chunk is set aside.
    interrupts : Interrupts, optional
        What is to hear signals, for an *open_work* that waits and must know of them.

    Raises
    ------
    ReplacedError
        If the plan in the folder becomes another one.
    DamageError
        If an index array or an array's metadata is damaged.
    StorageError
        If the disk is full, read-only or failing; what was committed stays.
    WindowTooShortError
        If this is the third window in a row that closes with nothing committed.
    UsageError, BlockedError
        As raised by the work.
    """
    manifest, ledger = opened.manifest, opened.ledger
    plans = [manifest.arm(name) for name in arms] if arms is not None else list(manifest.arms)
    with interrupts or Interrupts() as interrupts:
        context = SessionContext(opened, interrupts, _observer(ledger, progress))
        life = _Session(context, plans, Quota(max_chunks), max_attempts)
        return life.end(life.work(open_work))


def _observer(ledger: Ledger, listener: Listener | None) -> Observer:
    lock = threading.Lock()

    def tell(kind: str, plan: ArmPlan | None, chunk: int | None, message: str) -> None:
        if listener is None:
            return
        names = [plan.name] if plan else list(ledger.progress.arms)
        arms = [ledger.progress.arms[name] for name in names]
        event = Event(
            kind=kind,
            arm=plan.name if plan else None,
            chunk=chunk,
            chunks_committed=sum(arm.chunks_committed for arm in arms),
            chunks_total=sum(arm.plan.n_chunks for arm in arms),
            items_committed=sum(arm.items_committed for arm in arms),
            items_total=sum(arm.plan.n_items for arm in arms),
            eta_s=ledger.progress.eta_s(names),
            message=message,
        )
        with lock:
            listener(event)

    return tell


class _Session:
    """The life of one process on a run."""

    def __init__(
        self, context: SessionContext, plans: list[ArmPlan], quota: Quota, max_attempts: int
    ) -> None:
        self._context = context
        self._quota = quota
        self._ledger = context.ledger
        claims = context.opened.claims
        self._schedules = {
            plan.name: Schedule(plan, context.ledger, claims, quota, max_attempts=max_attempts)
            for plan in plans
        }
        self._plans = [plan for plan in plans if plan.n_chunks]
        self._waiting = False
        self._chunks_done = 0
        self._items_done = 0

    def work(self, open_work: OpenWork) -> Stop | None:
        """Work on one arm after the other; return why it ends before all is done."""
        self._context.tell("session", None, None, self._context.session.name)
        self._demote()
        while any(self._schedules[plan.name].has_left() for plan in self._plans):
            if self._quota.allows(1) < 1:
                return Stop("as many chunks as asked for are done")
            plan = next((p for p in self._plans if self._schedules[p.name].has_ready()), None)
            try:
                stop = self._wait() if plan is None else self._work_on(plan, open_work)
            except NotOpenedError as error:
                self._waiting = True  # for a device
                return Stop(self._context.interrupts.reason or str(error))
            except CutOffError as error:  # a model that was being loaded
                return self._context.closing() or Stop(str(error))
            if stop is not None:
                return stop
        return None

    def _demote(self) -> None:
        """Take back what the ledger names and the disk no longer has at full length."""
        paths = self._context.paths
        for file in self._ledger.sessions.values():
            # Its last commits count from now on, and were perhaps not synced when it was killed.
            if file.commits and file.closed is None and file.name != self._context.session.name:
                with suppress(StorageError):
                    durable.sync_file(paths.ledger / f"{file.name}{SUFFIX}")
        sweep(paths, (plan.name for plan in self._plans), self._context.session.touched_s())
        for plan in self._plans:
            arm = self._ledger.progress.arms[plan.name]
            if any(arm.committed):
                # An array that is gone (moved, not mounted) is not a reason to forget its chunks.
                require_planned(paths, plan, compression_of(self._context.opened.manifest))
            damages = size_damages(paths, arm, self._ledger.refresh)
            if records := forgotten(self._ledger, damages):
                self._context.session.append(records)
            for damage in damages:
                self._context.tell("demoted", plan, damage.chunk, str(damage))

    def _wait(self) -> Stop | None:
        if not self._waiting:
            self._context.tell(
                "waiting", None, None, "other processes work on what is left, or it has to pause"
            )
        self._waiting = True
        time.sleep(WAIT_S)
        return self._context.closing(waiting=True)

    def _work_on(self, plan: ArmPlan, open_work: OpenWork) -> Stop | None:
        context = self._context
        self._waiting = False
        if stop := context.no_room(plan, range(1), loaded=False, unwritten=0):
            return stop
        with opened_work(context, plan, open_work) as work:
            schedule = self._schedules[plan.name]
            schedule.batch_items = work.batch_items
            arm_run = ArmRun(context, plan, schedule, work)
            try:
                stop = arm_run.loop()
            finally:
                arm_run.close()
                chunks, items = arm_run.committed
                self._chunks_done += chunks
                self._items_done += items
            arm_run.raise_if_failed()
        return stop

    def end(self, stop: Stop | None) -> Outcome:
        """Write down how the session ends, and tell.

        Raises
        ------
        WindowTooShortError
            If too many windows in a row, this one included, closed with nothing committed.
        """
        self._ledger.refresh()
        outcome = self._outcome(stop)
        enough_s = outcome.enough_s
        if enough_s is not None:
            why = stop.reason if stop is not None else outcome.reason
            row = patience.fruitless(self._ledger, self._context.window.budget_s)
            patience.raise_if_too_short(row, why, enough_s)
            advise(enough_s)
        elif outcome.stop is ExitCode.INCOMPLETE:
            ATTEMPTS.withdraw(has_waited=self._waiting)
        self._context.opened.close(int(outcome.stop), outcome.reason, enough_s)
        self._context.tell("closing", None, None, outcome.reason)
        return outcome

    def _enough_s(self, stop: Stop | None) -> float | None:
        """How long this window should have been, if nothing came of it for want of time."""
        if stop is None or stop.enough_s is None or self._context.opened.progress():
            return None
        if self._context.interrupts.reason is not None:
            return None
        return max(stop.enough_s, patience.LONGER * (self._context.window.budget_s or 0.0))

    def _outcome(self, stop: Stop | None) -> Outcome:
        names = [plan.name for plan in self._plans]
        chunks_left = self._ledger.progress.chunks_left(names)
        set_aside = {p.name: self._schedules[p.name].set_aside() for p in self._plans}
        enough_s = None
        if chunks_left == 0:
            code, reason = ExitCode.COMPLETE, "all chunks are committed"
        elif stop is None or chunks_left == sum(map(len, set_aside.values())):
            code, reason = ExitCode.FAILED, self._complaint(set_aside)
        else:
            code, reason = stop.code, stop.reason
            enough_s = self._enough_s(stop)
            if enough_s is not None:
                reason = f"{reason}; {patience.advice(enough_s)}"
        return Outcome.of(
            self._ledger.progress,
            names,
            code,
            reason,
            (self._chunks_done, self._items_done),
            window=(self._context.window.budget_s, self._context.startup_s),
            interrupted=self._context.interrupts.reason is not None,
            enough_s=enough_s,
        )

    def _complaint(self, set_aside: dict[str, list[int]]) -> str:
        parts = []
        for name, chunks in set_aside.items():
            for chunk in chunks:
                failures = self._ledger.progress.arms[name].failures.get(chunk)
                why = failures[-1].error if failures else "it killed its worker"
                parts.append(f"chunk {chunk} of arm {name} was quarantined: {why}")
        return "; ".join(parts)

"""Does one more chunk still fit?

The window counts from process start, imports included, on the boot clock: setting the wall clock
neither shortens nor lengthens it, and what a machine sleeps counts. A process that holds many
sessions, like a notebook's, says where each begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from ptyrun.durations import format_duration
from ptyrun.engine.progress import ArmProgress, Cost
from ptyrun.errors import UsageError
from ptyrun.host.clock import boot_clock_s
from ptyrun.host.processes import Process

MARGIN = 1.1  # chunks vary; a window may end early rather than late
SLACK = 1.2  # of a window that is advised
RECENT_CHUNKS = 8

_BEGAN_S: ContextVar[float | None] = ContextVar("began_s", default=None)


@contextmanager
def counted_from_now() -> Iterator[None]:
    """Let the windows that are made meanwhile count from here, not from process start."""
    before = _BEGAN_S.set(boot_clock_s())
    try:
        yield
    finally:
        _BEGAN_S.reset(before)


class Window:
    """The wall time that a session may use.

    Parameters
    ----------
    budget_s : float, optional
        Without one, everything fits.
    process : Process, optional
        The one whose start begins the window; this one by default.

    Raises
    ------
    UsageError
        If the budget is not greater than zero.
    """

    def __init__(self, budget_s: float | None = None, process: Process | None = None) -> None:
        if budget_s is not None and not budget_s > 0:
            raise UsageError(
                f"invalid window: {budget_s:g} s",
                why="a duration must be positive and finite",
                do="give a window greater than zero, like 170s",
            )
        self.budget_s = budget_s
        self.process = process or Process.current()
        began_s = _BEGAN_S.get()
        self._began_s = self.process.started_s if began_s is None else began_s

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return boot_clock_s() - self._began_s

    @property
    def remaining_s(self) -> float:
        """Seconds left; infinite without a budget, negative once it is used up."""
        return math.inf if self.budget_s is None else self.budget_s - self.elapsed_s


@dataclass(frozen=True)
class Estimate:
    """What the next chunk of an arm will cost.

    Parameters
    ----------
    load_s : float
        Loading the model, where it is not loaded yet.
    chunk_s : float
        Reading, computing and waiting.
    write_s : float
        Writing it, and each chunk that still waits to be written.
    """

    load_s: float
    chunk_s: float
    write_s: float

    def total_s(self, unwritten: int = 0) -> float:
        """Seconds until the next chunk is committed, with *unwritten* others before it."""
        return MARGIN * (self.load_s + self.chunk_s + (1 + unwritten) * self.write_s)


def estimate(
    arm: ArmProgress, n_items: int, *, loaded: bool, first: bool, unwritten_item_s: float = 0.0
) -> Estimate | None:
    """Estimate the next *n_items* from what chunks cost so far; None where nothing is known.

    Parameters
    ----------
    arm : ArmProgress
    n_items : int
    loaded : bool
        Whether the model is loaded in this session.
    first : bool
        Whether nothing was committed in this session yet. Such a session has nothing to lose, so
        that it goes by the cheapest chunk: one outlier cannot make every later window give up.
    unwritten_item_s : float
        Seconds per item of what this session computed last, if anything: the ledger learns of a
        chunk only when it is written, and the first one of an arm may still be waiting.
    """
    known = list(arm.costs) or [Cost(unwritten_item_s, 0.0, False)] * (unwritten_item_s > 0)
    costs = _alike(known, warm=not first)[-RECENT_CHUNKS:]
    if not costs:
        return None
    worst = min if first else max
    load_s = 0.0 if loaded or not arm.load_s else min(arm.load_s)
    return Estimate(
        load_s=load_s,
        chunk_s=worst(cost.item_s for cost in costs) * n_items,
        write_s=worst(cost.write_s for cost in costs),
    )


def _alike(costs: list[Cost], *, warm: bool) -> list[Cost]:
    return [cost for cost in costs if cost.warm == warm] or costs


@dataclass(frozen=True)
class TooShort:
    """Why nothing came of a window, and how long it should have been."""

    why: str
    enough_s: float


def nothing_fits(window: Window, needed: Estimate) -> TooShort:
    """Say why not even one chunk fits what is left of this window.

    What came before the chunk took what it took in this very window, whatever it took in others.
    """
    assert window.budget_s is not None
    elapsed_s = window.elapsed_s
    chunk_s = needed.total_s() - MARGIN * needed.load_s
    return TooShort(
        f"not even one chunk fits the window of {format_duration(window.budget_s)}: "
        f"start-up takes {format_duration(elapsed_s + needed.load_s)}, "
        f"one chunk {format_duration(chunk_s)}",
        SLACK * (elapsed_s + needed.total_s()),
    )


def nothing_begun(window: Window) -> TooShort:
    """Say that a window closed before its first chunk, of which nothing is known yet."""
    assert window.budget_s is not None
    elapsed_s = window.elapsed_s
    return TooShort(
        f"the window of {format_duration(window.budget_s)} was used up before the first chunk: "
        f"starting and loading took {format_duration(elapsed_s)}",
        2 * elapsed_s,
    )


def nothing_done(window: Window, began_s: float, share_done: float) -> TooShort:
    """Say that a window closed in the middle of its first chunk.

    Parameters
    ----------
    window : Window
    began_s : float
        Age of the process when the chunk was begun.
    share_done : float
        How much of the chunk is computed, 0 to 1.
    """
    assert window.budget_s is not None
    elapsed_s = window.elapsed_s
    took_s = elapsed_s - began_s
    # A first computation takes longer than those that follow, so that this is enough.
    whole_s = took_s / share_done if share_done > 0 else 2 * took_s
    return TooShort(
        f"the window of {format_duration(window.budget_s)} closed in the middle of its first "
        f"chunk: {share_done:.0%} of it took {format_duration(took_s)}, "
        f"what came before {format_duration(began_s)}",
        max(SLACK * (began_s + whole_s), SLACK * elapsed_s),
    )

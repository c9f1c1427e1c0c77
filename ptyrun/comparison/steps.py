"""Which steps make a plan or results, and which of them did earlier windows finish?"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ptyrun.comparison.kept import Finding, Kept
from ptyrun.engine.costs import Costs, Outcome
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.window import Window
from ptyrun.errors import WindowClosedError
from ptyrun.paths import RunPaths


class Findable(Protocol):
    """What can be kept."""

    def finding(self) -> Finding:
        """As it is kept."""


T = TypeVar("T", bound=Findable)

FOUND_SO_FAR = "what was found out for the plan so far is kept"
# What a plan finds out sooner is sooner found again than it is worth a file.
_WORTH_KEEPING_S = 0.5


class Steps:
    """The steps of one call: what earlier windows finished is taken over, the rest is measured."""

    def __init__(
        self, kept: Kept, costs: Costs, window: Window, *, keeps: bool, worth_s: float = 0.0
    ) -> None:
        self.kept = kept
        self._costs = costs
        self._window = window
        self._keeps = keeps
        self._worth_s = worth_s
        self._begun_with = costs.finished

    @classmethod
    def of(cls, paths: RunPaths, manifest: Manifest, window: Window, *, keeps: bool) -> Steps:
        """Open what earlier windows of a run left; nobody else may be at this."""
        kept = Kept(paths.steps)
        kept.sweep()
        return cls(kept, Costs(paths.costs, manifest.digest), window, keeps=keeps)

    @classmethod
    def towards_plan(cls, paths: RunPaths, asked: str, window: Window) -> Steps:
        """Open what earlier windows found out for a plan, named by what is *asked* for."""
        costs = Costs(paths.planning_costs, asked, FOUND_SO_FAR)
        kept = Kept(paths.planning)
        return cls(kept, costs, window, keeps=True, worth_s=_WORTH_KEEPING_S)

    def measured(self, step: str, *, in_blocks: bool = False) -> AbstractContextManager[Outcome]:
        """Do an indivisible *step* if the window holds it."""
        return self._costs.measured(
            step, self._window, in_blocks=in_blocks, has_gone_on=self.has_gone_on
        )

    def part_kept(self, step: str) -> None:
        """Count a part of the *step* that is being measured: the next window goes on behind it."""
        self._costs.part_kept(step)

    @property
    def has_gone_on(self) -> bool:
        """Whether this window has finished anything that the next one need not do again."""
        return self._costs.finished > self._begun_with

    def taken(
        self,
        step: str,
        key: str,
        restore: Callable[[Finding], T],
        do: Callable[[], T],
        *,
        in_blocks: bool = False,
    ) -> T:
        """What *step* finds: as it is kept, else as *do* finds it, which is then kept."""
        name = file_name(step)
        found = self.kept.restored(name, key, restore) if self._keeps else None
        if found is not None:
            return found
        with self.measured(step, in_blocks=in_blocks) as outcome:
            began_s = time.monotonic()
            fresh = do()
            is_worth_it = time.monotonic() - began_s >= self._worth_s
            outcome.is_kept = is_worth_it and self.kept.save(name, key, fresh.finding())
        return fresh

    def checkpoint(self, is_kept: bool) -> None:
        """Between blocks: end if the window is used up."""
        if is_kept:
            self._costs.advance()
        if self._window.remaining_s <= 0:
            raise WindowClosedError(
                "the window closed while results were assembled",
                why="all chunks are computed; what was assembled so far is kept",
                do="run the same command again",
            )


def file_name(step: str) -> str:
    """Under which name a step is kept: no arm's has a sign that stands between its words."""
    return step.replace(" ", "=")


@dataclass(frozen=True)
class Texts:
    """A finding of words alone."""

    texts: tuple[str, ...]

    def finding(self) -> Finding:
        """As it is kept."""
        return Finding({"texts": self.texts}, {})

    @classmethod
    def of(cls, found: Finding) -> Texts:
        """Read back what :meth:`finding` gave."""
        return cls(tuple(found.facts["texts"]))

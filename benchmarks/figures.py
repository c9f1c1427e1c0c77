"""How are measurements taken in turns, and what is a measured figure?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scale:
    """How much is measured, and where files are written meanwhile.

    Attributes
    ----------
    rounds : int
        How often each candidate takes its turn.
    quick : bool
        Smaller sizes, for a look; aims hold for full sizes.
    scratch : Path
        An empty folder on the disk that the figures are about.
    shared : Path
        The folder of reference values; it may be absent.
    kept : Path
        Where pictures and points are kept.
    most : int
        The largest size of a run, where sizes grow.
    """

    rounds: int
    quick: bool
    scratch: Path
    shared: Path
    kept: Path = Path("build")
    most: int = 1_000_000


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes
    ----------
    name : str
        What was measured.
    value : float
        In *unit*; the median over the rounds.
    unit : str
        ``x`` for a ratio, ``s``, ``ms``, ``MiB``, ``%``.
    aim : float, optional
        What it should not exceed.
    spread : tuple of float, optional
        First and third quartile over the rounds.
    note : str
        What it was compared with, sizes, absolute times.
    """

    name: str
    value: float
    unit: str
    aim: float | None = None
    spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None where there is none."""
        return None if self.aim is None else self.value <= self.aim


def in_turns(
    candidates: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, tuple[float, ...]]:
    """Time each candidate once per round, in an order that turns around every round.

    Slow drifts of the machine then meet all candidates alike.

    Returns
    -------
    dict of tuple of float
        Seconds by candidate, one per round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    order = list(candidates)
    for _ in range(rounds):
        for name in order:
            start = time.perf_counter()
            candidates[name]()
            seconds[name].append(time.perf_counter() - start)
        order.reverse()
    return {name: tuple(values) for name, values in seconds.items()}


def summed_up(
    name: str, values: Sequence[float], unit: str, aim: float | None = None, note: str = ""
) -> Figure:
    """Median and quartiles of *values* as a figure."""
    if len(values) < 2:
        return Figure(name, values[0], unit, aim, None, note)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Figure(name, middle, unit, aim, (low, high), note)


def compared(
    name: str, above: Sequence[float], below: Sequence[float], aim: float | None, note: str
) -> Figure:
    """How many times *below* is *above*? Round by round, so that a slow round cancels.

    The note adds the ratio of the fastest rounds, which a busy machine disturbs least.
    """
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    best = f"fastest rounds {min(above) / min(below):.3g} x"
    return summed_up(name, ratios, "x", aim, f"{best}; {note}")

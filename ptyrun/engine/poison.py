"""Does a chunk kill its worker, or did it only happen to be there?

A killed session does not say by whom: its last chunk may have run out of memory, or somebody
ended the process. A chunk is blamed only if chance does not explain its deaths, judged by what
happened to all others (docs/decisions/poison-chunks.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ptyrun.engine.ledger import Ledger
from ptyrun.engine.progress import MAX_ATTEMPTS, ArmProgress
from ptyrun.engine.records import Started

# How many innocent chunks of an arm may be set aside on average, if all deaths came from outside.
EXPECTED_INNOCENTS = 0.005

Alive = Callable[[str], bool]


def is_set_aside(
    ledger: Ledger, arm: ArmProgress, chunk: int, alive: Alive, max_attempts: int = MAX_ATTEMPTS
) -> bool:
    """Tell whether *chunk* failed, or killed its worker, too often to be tried once more.

    Parameters
    ----------
    ledger : Ledger
    arm : ArmProgress
        One of the ledger's.
    chunk : int
    alive : callable
        Tells whether a session still works.
    max_attempts : int
        So many failures, or at least so many deaths with nothing else in hand.
    """
    if arm.committed[chunk]:
        return False
    if sum(not failed.by_chance for failed in arm.failures.get(chunk, ())) >= max_attempts:
        return True
    alone = [start for start in ledger.deaths(arm, chunk, alive) if start.together == 1]
    if len(alone) < max_attempts:
        return False
    return arm.plan.n_chunks * _chance(ledger, arm, chunk, alone, alive) <= EXPECTED_INNOCENTS


def _chance(
    ledger: Ledger, arm: ArmProgress, chunk: int, deaths: list[Started], alive: Alive
) -> float:
    """Probability of *deaths* if *chunk* is like all others of its arm."""
    tried, fell = arm.chunks_committed, 0
    first_fell = own_first = 0
    for other in {*arm.failures, *arm.open_starts}:
        found = list(ledger.deaths(arm, other, alive))
        at_first = sum(_is_first(start) for start in found if start.chunk == found[0].chunk)
        if other == chunk:
            own_first = at_first
            continue
        tried += not arm.committed[other]
        fell += bool(found)
        first_fell += at_first
    begun = sum(file.stretches > 0 for file in ledger.sessions.values()) - own_first
    of_later = (fell + 1) / (tried + 2)
    of_first = (first_fell + 1) / (max(begun, first_fell) + 2)
    return math.prod(of_first if _is_first(death) else of_later for death in deaths)


def _is_first(start: Started) -> bool:
    # The first computation of a session takes longer, and is killed more often.
    return start.stretch <= 1

"""When is what was found so far kept again? Often enough, and never at the cost of the work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# As often as that, and never so often that keeping takes a tenth of the time.
BLOCK_S = 5.0
SHARE = 10


class Pace:
    """When are sums kept again? A clock that what keeping takes holds back."""

    def __init__(self) -> None:
        self._wait_s = BLOCK_S
        self._last_s = time.monotonic()

    def is_due(self) -> bool:
        """Whether enough was added since the last time."""
        return time.monotonic() - self._last_s >= self._wait_s

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep; the next time comes the later, the longer this takes."""
        began_s = time.monotonic()
        yield
        self._last_s = time.monotonic()
        self._wait_s = max(BLOCK_S, SHARE * (self._last_s - began_s))

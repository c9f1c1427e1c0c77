"""How many chunks may wait to be committed, how many are committed at once, how long does it take?

Chunks that are committed together share one sync of folder and ledger. On a slow disk a large group
would take longer than the end of a window allows, and what waits would be computed for nothing:
groups grow while that costs no time, and never more waits than two of them.
"""

from __future__ import annotations

FIRST_CHUNKS = 2  # nothing is known yet: one is written, one waits
MAX_CHUNKS = 64
TARGET_S = 0.5
_FREE = 1.2  # a larger group that takes no longer than this, times the quickest one, is free


class CommitPace:
    """What commits of this session cost.

    Attributes
    ----------
    group_chunks : int
        How many chunks are to be committed at once.
    """

    def __init__(self) -> None:
        self.group_chunks = FIRST_CHUNKS
        self._last: tuple[int, float] | None = None
        self._quickest_s = float("inf")

    @property
    def waiting_chunks(self) -> int:
        """How many chunks may wait, the group in hand not counted."""
        return 1 if self._last is None else 2 * self.group_chunks

    def note(self, n_chunks: int, seconds: float) -> None:
        """Learn that *n_chunks* took *seconds*."""
        self._last = (n_chunks, seconds)
        self._quickest_s = min(self._quickest_s, seconds)
        free_s = max(TARGET_S, _FREE * self._quickest_s)
        if seconds > free_s:
            self.group_chunks = max(1, min(n_chunks, self.group_chunks) // 2)
        elif n_chunks >= self.group_chunks:
            self.group_chunks = min(MAX_CHUNKS, 2 * n_chunks)

    def seconds(self, n_chunks: int) -> float:
        """Estimate what committing *n_chunks* takes; 0 while nothing is known."""
        if self._last is None:
            return 0.0
        chunks, seconds = self._last
        return seconds * max(1.0, n_chunks / chunks)

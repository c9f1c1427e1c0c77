"""How does the process of a predictor get its batches, and how long is it waited for?"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ptyrun.child.arrays import Layout, SharedArrays, grow, make_memory
from ptyrun.child.fence import Yard
from ptyrun.child.process import START_S, ForeignProcess
from ptyrun.host.memory import available_bytes
from ptyrun.models.halving import SMALLER_BATCH
from ptyrun.models.predictors import PredictorOutOfMemoryError
from ptyrun.texts import counted

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long the session waits for its predictor.

    Attributes
    ----------
    load_s : float
        For a model to be loaded.
    batch_s : float
        For a batch, at the least.
    batches : float
        For a batch, as many times what the longest one took.
    close_s : float
        For it to let go of its model.
    """

    load_s: float = START_S
    batch_s: float = 600.0
    batches: float = 50.0
    close_s: float = 60.0


class PredictorProcess(ForeignProcess):
    """A process of its own for one arm's predictor, with memory that both see.

    Parameters
    ----------
    yard : Yard
        What it may read and write.
    label : str
        The arm's, for the log.
    patience : Patience
    """

    def __init__(
        self, yard: Yard, label: str = "predictor", patience: Patience | None = None
    ) -> None:
        self._memory = make_memory()
        self._memory_size = 0
        self._patience = patience or Patience()
        self._longest_s = 0.0

        def hear(line: str) -> None:
            log.info("%s says: %s", label, line)

        try:
            super().__init__(
                yard, "ptyrun.child.server", "predictor", hear, descriptors=(self._memory,)
            )
        except BaseException:
            os.close(self._memory)
            raise

    def asked(
        self,
        message: dict[str, Any],
        is_over: Callable[[], bool],
        read: Callable[[dict[str, Any]], T],
    ) -> T:
        """Have it do something, waiting as long as that may take; raises as `ask`."""
        began_s = time.monotonic()
        answer = self.ask(message, is_over, read, self._limit_s(message["do"]))
        if message["do"] == "predict":
            self._longest_s = max(self._longest_s, time.monotonic() - began_s)
        return answer

    def holds(self, layout: Layout) -> bool:
        """Whether its memory has room for a batch, or has no size yet."""
        return not self._memory_size or layout.n_bytes <= self._memory_size

    def require_room(self, layout: Layout) -> None:
        """See that memory has room for a batch, twice: the session makes and keeps one as well.

        Raises
        ------
        PredictorOutOfMemoryError
            If it has not. How many groups a batch has, the predictor says.
        """
        free_bytes = available_bytes()
        if not self._memory_size and 2 * layout.n_bytes > free_bytes:
            raise PredictorOutOfMemoryError(
                f"a batch of {counted(layout.batch_items, 'group')} takes twice "
                f"{layout.n_bytes} bytes",
                why=f"{free_bytes} bytes are free, and the predictor takes "
                f"{counted(layout.batch_items, 'group')} at once",
                do=SMALLER_BATCH,
            )

    def arrays(self, layout: Layout) -> SharedArrays:
        """Give the memory that both processes see its size, and its form for a batch.

        Raises
        ------
        PredictorOutOfMemoryError
            If there is no room.
        PredictorDiedError
            If the process did something to the memory: it was ended.
        """
        self.require_room(layout)
        try:
            if not self._memory_size:
                grow(self._memory, layout.n_bytes)
                self._memory_size = layout.n_bytes
            return SharedArrays(self._memory, layout)
        except OSError as error:
            if error.errno in (errno.ENOMEM, errno.ENOSPC):
                raise PredictorOutOfMemoryError(
                    f"there is no room for a batch of {counted(layout.batch_items, 'group')}",
                    why=str(error),
                    do=SMALLER_BATCH,
                ) from error
            # It sealed the memory, or cut it short.
            raise self._dead(
                f"the shared memory of a batch is corrupted ({error})", began=True
            ) from error

    def _limit_s(self, what: str) -> float:
        patience = self._patience
        if what == "close":
            return patience.close_s
        if what == "open" or not self._longest_s:
            return patience.load_s  # the first batch may compile
        return max(patience.batch_s, patience.batches * self._longest_s)

    def end(self) -> None:
        """End the process, and let go of all that was for it; again does nothing."""
        if not self._is_closed:
            super().end()
            os.close(self._memory)

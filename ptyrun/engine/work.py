"""What does a stage give the engine, and what does the engine tell back?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from ptyrun.config import Fact
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.batches import KnownBatchLimit
from ptyrun.engine.progress import Progress
from ptyrun.errors import BlockedError, ExitCode, StorageError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FATAL = (UsageError, BlockedError, StorageError)


class Work(Protocol):
    """One arm's work, with its model loaded.

    Errors of type `UsageError` and `BlockedError` end the session; any other one is a failure of
    the chunk in hand, which is tried again.
    """

    @property
    def batch_items(self) -> int:
        """How many items one `read` and one `compute` get at most."""

    def read(self, items: range) -> Any:
        """Read the inputs of *items*; called in the loader thread."""

    def compute(self, inputs: Any, n_items: int) -> NDArray[Any]:
        """Compute outputs, shape (n_items, *item_shape); called in the thread that called `run`.

        Raises CutOffError if the session has to end before they are there.
        """

    def check(self, items: range, outputs: NDArray[Any]) -> Mapping[str, Fact]:
        """Judge one chunk's outputs, called in the writer thread; what it returns is kept."""

    def close(self) -> None:
        """Let go of the model."""


OpenWork = Callable[[ArmPlan, KnownBatchLimit], Work]


@dataclass(frozen=True)
class Event:
    """Something to show.

    ``kind`` is one of ``session``, ``demoted``, ``arm``, ``started``, ``committed``, ``failed``,
    ``set_aside``, ``waiting``, ``closing``. Counts are those of the arm named, or of the run.
    """

    kind: str
    arm: str | None
    chunk: int | None
    chunks_committed: int
    chunks_total: int
    items_committed: int
    items_total: int
    eta_s: float | None
    message: str = ""


Listener = Callable[[Event], None]


@dataclass(frozen=True)
class Outcome:
    """How a session ended.

    Parameters
    ----------
    stop : ExitCode
        COMPLETE, INCOMPLETE (work remains: run again) or FAILED (chunks were set aside).
    reason : str
        For people.
    chunks_done, items_done : int
        Committed by this session.
    chunks_left, items_left : int
        Still missing in the arms that were asked for.
    windows_left : int or None
        How many more windows like this one it takes, where that can be told.
    eta_s : float or None
        Seconds of work left, where that can be told.
    interrupted : bool
        Whether a signal asked for the end, be it with the last chunk.
    enough_s : float or None
        How long the window should have been, if nothing came of it for want of time.
    """

    stop: ExitCode
    reason: str
    chunks_done: int
    chunks_left: int
    items_done: int
    items_left: int
    windows_left: int | None
    eta_s: float | None
    interrupted: bool
    enough_s: float | None = None

    @classmethod
    def of(
        cls,
        progress: Progress,
        arms: Sequence[str],
        stop: ExitCode,
        reason: str,
        done: tuple[int, int],
        *,
        window: tuple[float | None, float] = (None, 0.0),
        workers: int = 1,
        interrupted: bool = False,
        enough_s: float | None = None,
    ) -> Self:
        """Say what is left of *arms*, and how long that will take.

        Parameters
        ----------
        done : (int, int)
            Chunks and items.
        window : (float or None, float)
            Its length, and how much of it the start took.
        workers : int
            How many work side by side.
        """
        eta_s = progress.eta_s(arms)
        eta_s = None if eta_s is None else eta_s / workers
        return cls(
            stop=stop,
            reason=reason,
            chunks_done=done[0],
            chunks_left=progress.chunks_left(arms),
            items_done=done[1],
            items_left=progress.items_left(arms),
            # Of windows in which nothing fits, no number of them is enough.
            windows_left=None if enough_s is not None else progress.windows_left(eta_s, *window),
            eta_s=eta_s,
            interrupted=interrupted,
            enough_s=enough_s,
        )

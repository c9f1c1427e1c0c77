"""What happens when a batch does not fit into memory? It is halved, and the work goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.models.files import ModelCard
from ptyrun.models.predictors import (
    ModelRequest,
    OpenedPredictor,
    Predictor,
    PredictorOutOfMemoryError,
    check_form,
    in_foreign_code,
    open_predictor,
)
from ptyrun.texts import counted

log = logging.getLogger(__name__)

# The second is what NumPy raises, and with it predictors that know nothing of ptyrun's errors.
_OUT_OF_MEMORY = (PredictorOutOfMemoryError, MemoryError)
_MORE_MEMORY = "use a machine or device with more memory, or a smaller model"
SMALLER_BATCH = "use a smaller batch (--pinn-predict-batch-size, batch= of --arm)"


@dataclass(frozen=True)
class Halving:
    """One time that memory ran out."""

    before_items: int
    after_items: int
    why: str

    def __str__(self) -> str:
        return (
            f"out of memory at {counted(self.before_items, 'group')}, "
            f"going on with {self.after_items}: {self.why}"
        )


def open_halving(
    backend: str,
    request: ModelRequest,
    on_halving: Callable[[Halving], None] = lambda halving: None,
) -> HalvingPredictor:
    """Open a predictor that survives running out of memory.

    Parameters
    ----------
    on_halving : callable
        Told every time, so that it can be recorded.

    Raises
    ------
    PredictorOutOfMemoryError
        If not even one group fits.
    """

    def open_at(batch_items: int) -> Predictor:
        return open_predictor(backend, replace(request, batch_items=batch_items))

    return HalvingPredictor.opened(open_at, request.batch_items, on_halving)


class HalvingPredictor:
    """A predictor of one outer batch, which it cuts as small as memory demands.

    To its caller the batch never changes. The patches do, by rounding: kernels for another
    batch shape may sum in another order. Measured with Keras and PyTorch networks on a CPU,
    patches of two batch shapes differ by less than 1e-5 of the largest value; a network that
    amplifies its input's rounding may reach 1e-4.
    """

    def __init__(
        self,
        predictor: OpenedPredictor,
        batch_items: int,
        open_at: Callable[[int], OpenedPredictor],
        on_halving: Callable[[Halving], None],
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        self.batch_items = batch_items
        self._on_closed = on_closed
        self._predictor = predictor
        self._open_at = open_at
        self._on_halving = on_halving

    @classmethod
    def opened(
        cls,
        open_at: Callable[[int], OpenedPredictor],
        batch_items: int,
        on_halving: Callable[[Halving], None],
        on_closed: Callable[[], None] = lambda: None,
    ) -> Self:
        """Open the predictor, at a smaller batch if it must be; *on_closed* is told of the end."""
        predictor = _open(open_at, batch_items, on_halving)
        return cls(predictor, predictor.batch_items, open_at, on_halving, on_closed)

    @property
    def card(self) -> ModelCard:
        """What the model says of itself."""
        return self._predictor.card

    @property
    def batch_in_memory(self) -> int:
        """How many groups the network is given at once by now."""
        return self._predictor.batch_items

    def predict(
        self,
        diffraction: NDArray[np.float32],
        local_offsets_px: NDArray[np.float32],
        first_row: int = 0,
    ) -> NDArray[np.complex64]:
        """One patch per group; see :class:`ptyrun.predictors.Predictor`.

        Parameters
        ----------
        first_row : int
            The batch's row that the first group is to lie in; at most ``batch_items`` less the
            number of groups.

        Raises
        ------
        PredictorOutOfMemoryError
            If not even one group fits.
        """
        while True:
            try:
                return self._in_pieces((diffraction, local_offsets_px), first_row)
            except _OUT_OF_MEMORY as error:
                too_many = self._predictor.batch_items
                smaller = _halved(too_many, error, self._on_halving)
                self._let_go()  # its memory must be free before the smaller one is made
                self._predictor = _open(self._open_at, smaller, self._on_halving)
                if self._predictor.batch_items >= too_many:
                    raise _no_smaller(self._predictor.batch_items, error) from error

    def close(self) -> None:
        """Let go of the model and its memory."""
        try:
            self._let_go()
        finally:
            self._on_closed()

    def _let_go(self) -> None:
        with in_foreign_code():
            self._predictor.close()

    def _in_pieces(
        self, given: tuple[NDArray[np.float32], NDArray[np.float32]], first_row: int
    ) -> NDArray[np.complex64]:
        n_groups, patch_px = given[0].shape[:2]
        step = self._predictor.batch_items
        before = first_row % step
        after = -(before + n_groups) % step
        diffraction, offsets_px = (_padded(array, before, after) for array in given)
        parts = []
        for start in range(0, len(diffraction), step):
            piece = slice(start, start + step)
            with in_foreign_code():
                parts.append(self._predictor.predict(diffraction[piece], offsets_px[piece]))
            check_form(parts[-1], step, patch_px)
        return np.concatenate(parts)[before : before + n_groups]


def _open(
    open_at: Callable[[int], OpenedPredictor],
    batch_items: int,
    on_halving: Callable[[Halving], None],
) -> OpenedPredictor:
    while True:
        try:
            return open_at(batch_items)
        except _OUT_OF_MEMORY as error:
            batch_items = _halved(batch_items, error, on_halving)


def _halved(
    batch_items: int,
    error: PredictorOutOfMemoryError | MemoryError,
    on_halving: Callable[[Halving], None],
) -> int:
    if batch_items <= 1:
        raise PredictorOutOfMemoryError(
            "not even one group fits into memory", why=_why(error), do=_MORE_MEMORY
        ) from error
    halving = Halving(batch_items, batch_items // 2, _why(error))
    log.info("%s", halving)
    on_halving(halving)
    return halving.after_items


def _no_smaller(
    batch_items: int, error: PredictorOutOfMemoryError | MemoryError
) -> PredictorOutOfMemoryError:
    return PredictorOutOfMemoryError(
        f"a batch of {counted(batch_items, 'group')} does not fit into memory",
        why=f"{_why(error)}; the model takes no smaller batch",
        do=_MORE_MEMORY,
    )


def _why(error: PredictorOutOfMemoryError | MemoryError) -> str:
    if isinstance(error, PredictorOutOfMemoryError):
        return error.why
    return str(error) or type(error).__name__


def _padded(array: NDArray[np.float32], before: int, after: int) -> NDArray[np.float32]:
    if before == after == 0:
        return array
    return np.pad(array, [(before, after), *[(0, 0)] * (array.ndim - 1)], mode="edge")

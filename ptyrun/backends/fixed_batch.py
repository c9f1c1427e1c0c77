"""How does a network that is called with one fixed batch become a predictor?

Kernels, and with them the last bits of a patch, may change with the batch's shape. So each
predictor uses one shape only, chosen and run once when it is opened.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ptyrun.backends.probing import Predict, require_apart, require_size, safe_batch
from ptyrun.errors import ModelError, PredictionError
from ptyrun.host.processes import n_cores
from ptyrun.models.files import ModelCard
from ptyrun.models.predictors import ModelRequest, PredictorOutOfMemoryError, WrongFormError
from ptyrun.models.synthetic_groups import synthetic_groups
from ptyrun.texts import counted


def n_threads() -> int:
    """Give the number of cores that this process may use, or fewer if OMP_NUM_THREADS says so."""
    cores = n_cores()
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return max(1, min(cores, int(wanted))) if wanted.isdecimal() else cores


class FixedBatch:
    """The part of a predictor that is the same for every framework."""

    def __init__(self, card: ModelCard, batch_items: int, patch_px: int, predict: Predict) -> None:
        self.card = card
        self.batch_items = batch_items
        self._patch_px = patch_px
        self._predict: Predict | None = predict

    def predict(
        self, diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        """One patch per group; see :class:`ptyrun.predictors.Predictor`."""
        if self._predict is None:
            raise PredictionError(
                "the predictor is closed", why="close() was called", do="open it again"
            )
        if len(diffraction) != self.batch_items:
            raise PredictionError(
                f"the predictor was given {counted(len(diffraction), 'group')}",
                why=f"it was prepared for batches of {self.batch_items}",
                do="pad the batch, and drop the padding's output",
            )
        patches = self._predict(diffraction, local_offsets_px)
        wanted = (self.batch_items, self._patch_px, self._patch_px)
        if patches.shape != wanted:
            raise WrongFormError(
                f"the network gave an array of shape {patches.shape}",
                why=f"one patch per group has shape {wanted}",
                do="use a smaller batch, or another model",
            )
        return patches

    def close(self) -> None:
        """Let go of the model and its memory."""
        self._predict = None
        gc.collect()


def prepare(
    compiled: Callable[[int], Predict], card: ModelCard, request: ModelRequest, *, foreign: bool
) -> tuple[int, Predict, tuple[str, ...]]:
    """Choose the batch, make the network for it and run it once.

    Parameters
    ----------
    compiled : callable
        Gives the network for one batch size.
    foreign : bool
        Whether the network must first show that it keeps the groups of a batch apart.

    Returns
    -------
    batch_items : int
    predict : callable
    notes : tuple of str
        What the user should know about the choice.

    Raises
    ------
    ModelError
        If no batch gives one patch per group, of the diffraction's size.
    """
    only_batch = card.batch_items
    try:
        if not foreign:
            batch_items = only_batch or request.batch_items
            predict = compiled(batch_items)
            patches = predict(*synthetic_groups(batch_items, request.patch_px, request.gridsize))
            require_size(patches, batch_items, request.patch_px)
            return batch_items, predict, _only(only_batch)
        if only_batch is None:
            safe = safe_batch(compiled, request.batch_items, request.patch_px, request.gridsize)
            return safe.batch_items, safe.predict, safe.notes
        predict = compiled(only_batch)
        require_apart(predict, only_batch, request.patch_px, request.gridsize)
        return only_batch, predict, _only(only_batch)
    except PredictorOutOfMemoryError:
        raise
    except PredictionError as error:
        raise ModelError(
            "the network cannot be used", why=f"{error.what}: {error.why}", do=error.do
        ) from error


def _only(batch_items: int | None) -> tuple[str, ...]:
    return (f"takes batches of {batch_items} only",) if batch_items else ()

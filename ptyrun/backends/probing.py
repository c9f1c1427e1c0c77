"""Does a network give each group its own patch, whatever else is in the batch?

Some networks sum the groups of a batch into one canvas, or let them influence each other.
They are asked once, with made-up diffraction, before anything is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import ModelError, PredictionError
from ptyrun.models.predictors import PredictorOutOfMemoryError
from ptyrun.models.synthetic_groups import synthetic_groups
from ptyrun.texts import counted

Patches = NDArray[np.complex64]
Predict = Callable[[NDArray[np.float32], NDArray[np.float32]], Patches]

# Batches of different sizes run through different kernels: 1e-5 of the maximum is common.
TOLERANCE = 1e-3
# The same batch again runs through the same kernels; on a GPU some still sum in any order.
REPEATED = 1e-4


@dataclass(frozen=True)
class Safe:
    """The largest batch that keeps groups apart, and the network made for it."""

    batch_items: int
    predict: Predict
    notes: tuple[str, ...]


def safe_batch(
    compiled: Callable[[int], Predict], batch_items: int, patch_px: int, gridsize: int
) -> Safe:
    """Halve the batch until every group of it gets the patch that it gets alone.

    A network that fails with a single group is tried at the batches that it may be made for.

    Parameters
    ----------
    compiled : callable
        Gives the network for one batch size.
    batch_items, patch_px, gridsize : int
        As in :class:`ptyrun.predictors.ModelRequest`.

    Raises
    ------
    ModelError
        If not even a single group gets one patch of the right size, or not the same one again.
    PredictionError
        If the network fails at every batch.
    """
    diffraction, offsets = synthetic_groups(batch_items, patch_px, gridsize)
    alone = compiled(1)
    try:
        first = alone(diffraction[:1], offsets[:1])
    except PredictorOutOfMemoryError:
        raise
    except PredictionError as error:
        return _only_together(compiled, error, batch_items, patch_px, gridsize)
    require_size(first, 1, patch_px)
    first_fault = ""
    for batch in _halves(batch_items):
        predict = alone if batch == 1 else compiled(batch)
        fault = _fault(predict, alone, diffraction[:batch], offsets[:batch])
        if not first_fault and (fault or batch == 1):
            _require_repeats(alone, first, diffraction[:1], offsets[:1])
        if fault is None:
            return Safe(batch, predict, _notes(batch_items, batch, first_fault))
        first_fault = first_fault or fault
    raise ModelError(
        "the network does not give one patch per group",
        why=first_fault,
        do="give a network whose output is one patch for every group of the batch",
    )


def _only_together(
    compiled: Callable[[int], Predict],
    alone: PredictionError,
    batch_items: int,
    patch_px: int,
    gridsize: int,
) -> Safe:
    for batch in _halves(batch_items):
        if batch == 1:
            break
        predict = compiled(batch)
        try:
            require_apart(predict, batch, patch_px, gridsize)
        except PredictorOutOfMemoryError:
            raise
        except PredictionError:
            continue  # it was not made for this batch either
        return Safe(batch, predict, (f"takes batches of {batch}, and no single groups",))
    raise alone.with_hint(
        "export it with a free batch axis, or ask for the batch it was made for"
    ) from alone


def require_apart(predict: Predict, batch_items: int, patch_px: int, gridsize: int) -> None:
    """Refuse a network that takes only one batch size and mixes the groups of a batch.

    Raises
    ------
    ModelError
        If groups and patches differ in number, patches have another size, or a patch changes
        with its batch or with time.
    """
    diffraction, offsets = synthetic_groups(2 * batch_items, patch_px, gridsize)
    here, there = slice(0, batch_items), slice(batch_items - 1, 2 * batch_items - 1)
    first = predict(diffraction[here], offsets[here])
    require_size(first, batch_items, patch_px)
    fault = _count_fault(first, batch_items, patch_px)
    if batch_items == 1:
        _require_repeats(predict, first, diffraction[here], offsets[here])
    elif fault is None:
        second = predict(diffraction[there], offsets[there])
        if not _equal(first[-1], second[0]):
            _require_repeats(predict, first, diffraction[here], offsets[here])
            fault = "a group's patch depends on the others of its batch"
    if fault is not None:
        raise ModelError(
            "the network does not give one patch per group",
            why=f"{fault}, and it takes no other batch than {batch_items}",
            do="export it with a free batch axis",
        )


def require_size(patches: Patches, batch_items: int, patch_px: int) -> None:
    """Refuse patches, one per group, that have not as many pixels as the diffraction.

    Raises
    ------
    ModelError
        If they have another size.
    """
    count, *size_px = patches.shape
    if count != batch_items or len(size_px) != 2 or size_px == [patch_px, patch_px]:
        return
    raise ModelError(
        f"the network gives patches of {size_px[0]} x {size_px[1]} pixels",
        why=f"a patch has as many pixels as a diffraction pattern, {patch_px} x {patch_px}",
        do="export a network that gives patches of this size",
    )


def _fault(
    predict: Predict,
    alone: Predict,
    diffraction: NDArray[np.float32],
    offsets: NDArray[np.float32],
) -> str | None:
    batch, patch_px = diffraction.shape[:2]
    patches = predict(diffraction, offsets)
    fault = _count_fault(patches, batch, patch_px)
    if fault or batch == 1:
        return fault
    for item in sorted({0, batch // 2, batch - 1}):
        single = alone(diffraction[item : item + 1], offsets[item : item + 1])
        fault = _count_fault(single, 1, patch_px)
        if fault:
            return fault
        if not _equal(patches[item], single[0]):
            return f"in a batch of {batch}, group {item} gets another patch than alone"
    return None


def _require_repeats(
    predict: Predict,
    first: Patches,
    diffraction: NDArray[np.float32],
    offsets: NDArray[np.float32],
) -> None:
    again = predict(diffraction, offsets)
    if again.shape == first.shape and _equal(again, first, REPEATED):
        return
    raise ModelError(
        "the network gives different patches for the same input",
        why="asked twice, it gave different numbers: it draws some at random, as dropout does, or "
        "remembers its calls",
        do="export it in evaluation mode",
    )


def _count_fault(patches: Patches, batch: int, patch_px: int) -> str | None:
    if patches.shape == (batch, patch_px, patch_px):
        return None
    return f"{counted(batch, 'group')} gave an array of shape {patches.shape}"


def _equal(one: Patches, other: Patches, tolerance: float = TOLERANCE) -> bool:
    scale = float(np.nanmax(np.abs(other))) if np.isfinite(other).any() else 0.0
    return np.allclose(one, other, rtol=0.0, atol=tolerance * scale, equal_nan=True)


def _halves(batch_items: int) -> Iterator[int]:
    while batch_items > 1:
        yield batch_items
        batch_items //= 2
    yield 1


def _notes(asked: int, safe: int, fault: str) -> tuple[str, ...]:
    said = f"predicts {counted(safe, 'group')} at once, not {asked}: {fault}"
    return () if safe == asked else (said,)

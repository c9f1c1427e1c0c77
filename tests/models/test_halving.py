from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.models.halving import Halving, HalvingPredictor
from ptyrun.models.predictors import PredictorOutOfMemoryError, WrongFormError
from tests.model_files import SmallMemory, groups


class Opened:
    """Remembers every predictor that was opened, and every halving that was told."""

    def __init__(self, fits: int, fails_when_opened: bool = False) -> None:
        self.predictors: list[SmallMemory] = []
        self.halvings: list[Halving] = []
        self._settings = fits, fails_when_opened

    def __call__(self, batch_items: int) -> Any:
        self.predictors.append(SmallMemory(batch_items, *self._settings))
        return self.predictors[-1]

    def halving(self, batch_items: int) -> HalvingPredictor:
        return HalvingPredictor.opened(self, batch_items, self.halvings.append)


@pytest.mark.parametrize("fits", [1, 2, 3, 5, 11, 12])
@pytest.mark.parametrize("fails_when_opened", [False, True])
def test_a_batch_that_does_not_fit_gives_the_patches_of_one_that_does(
    fits: int, fails_when_opened: bool
) -> None:
    given = groups(12)
    wanted = SmallMemory(12, fits=12).predict(*given)
    opened = Opened(fits, fails_when_opened)
    predictor = opened.halving(12)
    diffraction, offsets = (array[: predictor.batch_items] for array in given)
    found = predictor.predict(diffraction, offsets)
    assert np.array_equal(found, wanted[: predictor.batch_items])
    assert predictor.batch_in_memory <= fits


def test_the_callers_batch_stays_when_memory_runs_out_while_predicting() -> None:
    predictor = Opened(fits=3).halving(12)
    predictor.predict(*groups(12))
    assert predictor.batch_items == 12
    assert predictor.predict(*groups(12)).shape[0] == 12


@pytest.mark.parametrize("fits", [1, 3, 4, 12])
@pytest.mark.parametrize("rows", [range(12), range(5), range(4, 9), range(11, 12)])
def test_groups_keep_their_rows_of_the_batch(fits: int, rows: range) -> None:
    class Rows(SmallMemory):
        def predict(
            self, diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
        ) -> NDArray[np.complex64]:
            patches = super().predict(diffraction, local_offsets_px)
            return patches + np.arange(len(patches), dtype=np.complex64)[:, None, None]

    def halving() -> HalvingPredictor:
        open_at: Callable[[int], Any] = lambda batch: Rows(batch, fits)  # noqa: E731
        return HalvingPredictor.opened(open_at, 12, lambda halving: None)

    given = groups(12)
    diffraction, offsets = (array[rows.start : rows.stop] for array in given)
    patches = halving().predict(diffraction, offsets, first_row=rows.start)
    assert np.array_equal(patches, halving().predict(*given)[rows.start : rows.stop])


def test_every_halving_is_told_with_its_reason() -> None:
    opened = Opened(fits=3)
    opened.halving(12).predict(*groups(12))
    assert opened.halvings == [
        Halving(12, 6, "12 groups do not fit"),
        Halving(6, 3, "6 groups do not fit"),
    ]


def test_the_larger_predictor_is_closed_before_the_smaller_one_is_opened() -> None:
    opened = Opened(fits=3)
    predictor = opened.halving(12)
    predictor.predict(*groups(12))
    assert [one.closed for one in opened.predictors] == [True, True, False]
    predictor.close()
    assert opened.predictors[-1].closed


def test_memory_is_not_tried_again_once_a_smaller_batch_is_found() -> None:
    opened = Opened(fits=3)
    predictor = opened.halving(12)
    predictor.predict(*groups(12))
    predictor.predict(*groups(12))
    assert opened.predictors[-1].calls == [3] * 8


@pytest.mark.parametrize("fails_when_opened", [False, True])
def test_no_memory_for_one_group_is_an_error(fails_when_opened: bool) -> None:
    with pytest.raises(PredictorOutOfMemoryError, match="not even one group"):
        Opened(0, fails_when_opened).halving(4).predict(*groups(4))


class FixedMemory(SmallMemory):
    """A model that was made for one batch, whatever is asked for."""

    def __init__(self) -> None:
        super().__init__(batch_items=4, fits=3)


def test_a_model_that_takes_one_batch_only_is_an_error_and_no_endless_loop() -> None:
    open_at: Callable[[int], Any] = lambda batch: FixedMemory()  # noqa: E731
    predictor = HalvingPredictor.opened(open_at, 4, lambda halving: None)
    for _ in range(2):
        with pytest.raises(PredictorOutOfMemoryError, match="a batch of 4 groups does not fit"):
            predictor.predict(*groups(4))


def test_no_memory_for_one_group_stays_an_error_however_often_it_is_tried() -> None:
    predictor = Opened(fits=0).halving(2)
    for _ in range(2):
        with pytest.raises(PredictorOutOfMemoryError, match="not even one group"):
            predictor.predict(*groups(2))


class PlainMemory(SmallMemory):
    """Knows nothing of ptyrun's errors."""

    def _need_memory(self) -> None:
        if self.batch_items > self._fits:
            raise MemoryError("Unable to allocate 1. GiB")


@pytest.mark.parametrize("fails_when_opened", [False, True])
def test_what_numpy_raises_without_memory_is_understood(fails_when_opened: bool) -> None:
    halvings: list[Halving] = []

    def open_at(batch_items: int) -> Any:
        return PlainMemory(batch_items, 2, fails_when_opened)

    predictor = HalvingPredictor.opened(open_at, 4, halvings.append)
    assert len(predictor.predict(*groups(2))) == 2
    predictor.predict(*groups(predictor.batch_items))
    assert halvings == [Halving(4, 2, "Unable to allocate 1. GiB")]


class OneTooMany(SmallMemory):
    """Gives a patch that nobody asked for."""

    def predict(self, *given: np.ndarray) -> np.ndarray:
        patches = super().predict(*given)
        return np.concatenate([patches, patches[:1]])


def test_pieces_are_judged_one_by_one_and_not_by_their_sum() -> None:
    def open_at(batch_items: int) -> Any:
        return OneTooMany(batch_items, fits=3)

    predictor = HalvingPredictor.opened(open_at, 6, lambda halving: None)
    with pytest.raises(WrongFormError, match=r"\(4, 8, 8\) for 3 groups"):
        predictor.predict(*groups(6))

from __future__ import annotations

import numpy as np
import pytest

from ptyrun.halving import Halving, HalvingPredictor
from ptyrun.predictors import PredictorOutOfMemoryError
from tests.models import SmallMemory, groups


class Opened:
    """Remembers every predictor that was opened, and every halving that was told."""

    def __init__(self, fits: int, fails_when_opened: bool = False) -> None:
        self.predictors: list[SmallMemory] = []
        self.halvings: list[Halving] = []
        self._settings = fits, fails_when_opened

    def __call__(self, batch_items: int) -> SmallMemory:
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
    first = [array[: predictor.batch_items] for array in given]
    assert np.array_equal(predictor.predict(*first), wanted[: predictor.batch_items])
    assert predictor.batch_in_memory <= fits


def test_the_callers_batch_stays_when_memory_runs_out_while_predicting() -> None:
    predictor = Opened(fits=3).halving(12)
    predictor.predict(*groups(12))
    assert predictor.batch_items == 12
    assert predictor.predict(*groups(12)).shape[0] == 12


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

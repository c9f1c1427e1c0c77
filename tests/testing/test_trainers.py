"""Does the contract for trainers pass a sound one, and name the rule that another one breaks?"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.testing import TrainerContract
from ptyrun.trainers import State, TrainingRequest
from tests.trainers import PixelTrainer, make_examples

RULES = [name for name in vars(TrainerContract) if name.startswith("test_")]
REQUEST = TrainingRequest(make_examples(), 3, seed=1)
OTHER = replace(REQUEST, examples=make_examples(side_px=8))


class Silent(PixelTrainer):
    figures = ()


class Talkative(PixelTrainer):
    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        return (*super().step(items), 1.0)


class Still(PixelTrainer):
    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        return 1.0, 0.0


class Sharing(PixelTrainer):
    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        found = super().step(items)
        self.shared[...] = self.weights
        return found

    @property
    def shared(self) -> NDArray[np.float64]:
        self.kept: NDArray[np.float64] = getattr(self, "kept", self.weights.copy())
        return self.kept

    def state(self) -> State:
        return {**super().state(), "weights": self.shared}


class Moody(PixelTrainer):
    opened = 0

    def __init__(self, request: TrainingRequest) -> None:
        Moody.opened += 1
        super().__init__(replace(request, seed=Moody.opened))

    def restore(self, state: State) -> None:
        super().restore(state)
        self.rate = 0.05


class Forgetful(PixelTrainer):
    """Its momentum begins again."""

    def restore(self, state: State) -> None:
        super().restore(state)
        self.speed = np.zeros_like(self.weights)


class Careless(PixelTrainer):
    def restore(self, state: State) -> None:
        if "weights" in state and state["weights"].shape == self.weights.shape:
            super().restore({name: state[name] for name in self.state()})
        else:
            self.weights = self.weights + 1
            raise ValueError("too late")


class Double(PixelTrainer):
    def predict(self, items: NDArray[np.int64]) -> NDArray[Any]:  # type: ignore[override]
        return super().predict(items).astype(np.complex128)


class Scribbling(PixelTrainer):
    def __init__(self, request: TrainingRequest) -> None:
        super().__init__(request)
        self.probe = request.examples.probe

    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        self.probe += 1
        return super().step(items)


class Indulgent(PixelTrainer):
    def __init__(self, request: TrainingRequest) -> None:
        super().__init__(replace(request, settings={}))


BREAKS = {
    Silent: "test_it_has_the_parts_of_a_trainer",
    Talkative: "test_a_step_gives_a_finite_number_for_each_figure",
    Still: "test_a_step_changes_its_state",
    Sharing: "test_its_state_is_a_copy",
    Moody: "test_equal_requests_give_equal_bits",
    Forgetful: "test_a_training_that_was_cut_off_ends_in_the_same_bits",
    Careless: "test_a_state_of_another_network_is_refused",
    Double: "test_it_gives_one_finite_patch_per_item",
    Scribbling: "test_it_leaves_its_examples_as_they_are",
    Indulgent: "test_an_unknown_setting_is_refused",
}


class Contract(TrainerContract):
    __test__ = False


def asked(kind: type[PixelTrainer], rule: str, folder: Path) -> None:
    contract = Contract()
    contract.trainer = kind  # type: ignore[misc]
    given = {"training_request": REQUEST, "other_request": OTHER, "tmp_path": folder}
    test: Callable[..., None] = getattr(contract, rule)
    test(**{name: given[name] for name in inspect.signature(test).parameters})


@pytest.mark.parametrize("rule", RULES)
def test_a_sound_trainer_passes(rule: str, tmp_path: Path) -> None:
    asked(PixelTrainer, rule, tmp_path)


@pytest.mark.parametrize("kind", BREAKS, ids=lambda kind: kind.__name__)
def test_a_trainer_fails_at_the_rule_that_it_breaks(
    kind: type[PixelTrainer], tmp_path: Path
) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        asked(kind, BREAKS[kind], tmp_path)


def test_every_rule_is_broken_once() -> None:
    assert set(BREAKS.values()) == set(RULES)

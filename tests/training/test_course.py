"""Does a training that is cut off anywhere end in the same bytes, and what blocks one?"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.engine.window import Window, counted_from_now
from ptyrun.errors import BlockedError, PredictionError, UnfinishedError, UsageError
from ptyrun.training.checkpoints import Checkpoints
from ptyrun.training.course import Course, Training
from ptyrun.training.order import epoch_order
from ptyrun.training.settings import settings_of
from ptyrun.training.trainers import TrainingRequest, open_trainer
from tests.trainers import PixelTrainer, make_examples

EPOCHS = 5
REQUEST = TrainingRequest(make_examples(), EPOCHS, seed=3)


class Cut(BaseException):
    """As a kill: nothing is kept on the way out."""


class Mortal(PixelTrainer):
    lives = 10**9

    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        if self.lives == 0:
            raise Cut
        self.lives -= 1
        return super().step(items)


def training(folder: Path, trainer: PixelTrainer, window: Window | None = None) -> Training:
    said: list[str] = []
    kept = Checkpoints(folder / "pieces", "facts")
    return Training(trainer, REQUEST, kept, window or Window(), said.append)


def finished(folder: Path, trainer: PixelTrainer) -> tuple[Course, bytes]:
    course = training(folder, trainer).run()
    trainer.save(folder / "model")
    return course, (folder / "model").read_bytes()


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Course, bytes]:
    (tmp_path / "whole").mkdir()
    return finished(tmp_path / "whole", PixelTrainer(REQUEST))


@pytest.mark.parametrize("keep_every_s", [0.0, 1e9])
def test_cut_off_before_every_step_it_ends_in_the_same_bytes(
    tmp_path: Path, whole: tuple[Course, bytes], keep_every_s: float
) -> None:
    """States are kept after each step, or after each epoch alone."""
    for lives in range(len(whole[0].figures)):
        folder = tmp_path / str(lives)
        folder.mkdir()
        mortal = Mortal(REQUEST)
        mortal.lives = lives
        with pytest.raises(Cut):
            replace(training(folder, mortal), keep_every_s=keep_every_s).run()
        course, model = finished(folder, PixelTrainer(REQUEST))
        assert model == whole[1]
        assert np.array_equal(course.figures, whole[0].figures)


def test_a_window_that_is_over_keeps_what_was_done(
    tmp_path: Path, whole: tuple[Course, bytes]
) -> None:
    """Each window holds one step."""
    steps = 0
    while True:
        with counted_from_now():
            window = Window(1e9)
            mortal = _Counted(REQUEST, window)
            try:
                training(tmp_path, mortal, window).run()
            except UnfinishedError:
                steps += 1
                continue
        break
    mortal.save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == whole[1]
    assert steps == len(whole[0].figures) - 1


class _Counted(PixelTrainer):
    """Uses its window up with one step."""

    def __init__(self, request: TrainingRequest, window: Window) -> None:
        super().__init__(request)
        self.window = window

    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        self.window.budget_s = 1e-9
        return super().step(items)


def test_a_signal_keeps_the_state_within_an_epoch(
    tmp_path: Path, whole: tuple[Course, bytes]
) -> None:
    class Signalled(PixelTrainer):
        def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
            if self.steps == 1:
                os.kill(os.getpid(), 15)
            return super().step(items)

    with pytest.raises(UnfinishedError, match="2 steps"):
        training(tmp_path, Signalled(REQUEST)).run()
    _, model = finished(tmp_path, PixelTrainer(REQUEST))
    assert model == whole[1]


def test_a_state_of_another_network_is_named_and_not_gone_on_with(
    tmp_path: Path, whole: tuple[Course, bytes]
) -> None:
    class Larger(Mortal):
        def state(self) -> dict[str, NDArray[np.float64]]:
            return {"other": np.zeros(2)}

    mortal = Larger(REQUEST)
    mortal.lives = 4
    with pytest.raises(Cut):
        training(tmp_path, mortal).run()
    said: list[str] = []
    replace(training(tmp_path, PixelTrainer(REQUEST)), say=said.append).run()
    assert said[0] == "the state after step 3 is not resumed: " + (
        "its arrays are those of another network"
    )
    assert finished(tmp_path, PixelTrainer(REQUEST))[1] == whole[1]


class Diverging(PixelTrainer):
    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        loss, noise = super().step(items)
        return (float("nan") if self.steps == 3 else loss), noise


class Constant(PixelTrainer):
    def predict(self, items: NDArray[np.int64]) -> NDArray[np.complex64]:
        return np.full((len(items), *self.weights.shape), 0.5 + 0.1j, np.complex64)


class Zero(PixelTrainer):
    def predict(self, items: NDArray[np.int64]) -> NDArray[np.complex64]:
        return np.zeros((len(items), *self.weights.shape), np.complex64)


class Deaf(PixelTrainer):
    """Gives the same, whatever it is given."""

    def predict(self, items: NDArray[np.int64]) -> NDArray[np.complex64]:
        return np.broadcast_to(self.weights, (len(items), *self.weights.shape)).astype(np.complex64)


class Idle(PixelTrainer):
    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        self.steps += 1
        return 1.0, 0.0


class Infinite(PixelTrainer):
    def predict(self, items: NDArray[np.int64]) -> NDArray[np.complex64]:
        return super().predict(items) * np.complex64(np.inf)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (Diverging, "the training diverged at step 3\n  why: its loss is nan"),
        (Constant, "the network collapsed\n  why: it gives constant patches"),
        (Zero, "the network collapsed\n  why: it gives constant patches"),
        (Deaf, "the network collapsed\n  why: it gives the same patch for every example"),
        (Idle, "the network learned nothing\n  why: its loss was 1 at first, and is 1 after 15"),
        (Infinite, "patches that are not finite"),
    ],
)
def test_what_learned_nothing_is_blocked_by_name(
    tmp_path: Path, kind: type[PixelTrainer], what: str
) -> None:
    with pytest.raises(BlockedError) as blocked:
        training(tmp_path, kind(REQUEST)).run()
    assert what in str(blocked.value)


def test_a_trainer_that_exits_has_failed(tmp_path: Path) -> None:
    class Exiting(PixelTrainer):
        def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
            raise SystemExit(0)

    with pytest.raises(PredictionError, match="asked Python to exit"):
        training(tmp_path, Exiting(REQUEST)).run()


def test_an_epoch_sees_each_example_at_most_once_and_in_an_order_of_its_own() -> None:
    orders = [epoch_order(1, epoch, 10, 3) for epoch in range(2)]
    for order in orders:
        assert order.shape == (3, 3)
        assert len({*order.ravel().tolist()}) == 9
    assert not np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[0], epoch_order(1, 0, 10, 3))


def test_an_unknown_trainer_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no trainer is called 'pin.pt2'(.|\n)*mean 'pinn.pt2'"):
        open_trainer("pin.pt2", REQUEST)


@pytest.mark.parametrize("words", [("width",), ("=3",), ("width=3", "width=4")])
def test_a_setting_that_is_none_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="not a setting of a trainer"):
        settings_of(words)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much", ""])
def test_a_setting_that_is_no_number_above_zero_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="rate="):
        PixelTrainer(replace(REQUEST, settings={"rate": text}))
    with pytest.raises(UsageError, match=r"no setting 'rat'(.|\n)*mean 'rate'"):
        PixelTrainer(replace(REQUEST, settings={"rat": text}))

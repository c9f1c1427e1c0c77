"""How does a training go on where it was? Steps within a window, a state kept now and then.

A state is kept after each epoch, and whenever so much time has passed that to lose it would hurt; a
training that is killed anywhere ends in the bytes of one that was not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.engine.window import MARGIN, Window
from ptyrun.errors import BlockedError, UnfinishedError
from ptyrun.host.clock import boot_clock_s
from ptyrun.host.signals import Interrupts
from ptyrun.models.predictors import in_foreign_code
from ptyrun.training.checkpoints import Checkpoint, Checkpoints
from ptyrun.training.order import epoch_order, steps_per_epoch
from ptyrun.training.trainers import Trainer, TrainingRequest
from ptyrun.training.verdict import require_contrast, require_finite, require_learning

KEEP_EVERY_S = 10.0
# Keeping states takes at most this share of the time.
KEEPING_SHARE = 0.05
SHOWN_ITEMS = 16  # that a trained network is tried with
FIGURES = "course/figures"
NETWORK = "network/"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Course:
    """What a training did.

    Attributes
    ----------
    names : tuple of str
    figures : ndarray of float64, shape (steps, figures)
        The first is what was minimised.
    steps_per_epoch : int
    """

    names: tuple[str, ...]
    figures: NDArray[np.float64]
    steps_per_epoch: int

    def epochs(self) -> NDArray[np.float64]:
        """Mean of each epoch, shape (epochs, figures)."""
        shape = (-1, self.steps_per_epoch, len(self.names))
        return np.asarray(self.figures.reshape(shape).mean(axis=1))


@dataclass
class Training:
    """One network on its way.

    Parameters
    ----------
    trainer : Trainer
    request : TrainingRequest
    kept : Checkpoints
    window : Window
    say : callable
        Takes lines for people.
    must_learn : bool
        Whether a loss that is no lower at the end blocks it: a network that begins with a good
        guess may have little to learn.
    """

    trainer: Trainer
    request: TrainingRequest
    kept: Checkpoints
    window: Window
    say: Say
    must_learn: bool = True
    keep_every_s: float = KEEP_EVERY_S
    _figures: list[tuple[float, ...]] = field(default_factory=list)
    _kept_step: int = -1
    _kept_at_s: float = 0.0
    _keeping_s: float = 0.0
    _longest_s: float = 0.0

    def run(self) -> Course:
        """Train from where it was to the end, and judge what came of it.

        Raises
        ------
        UnfinishedError
            If the window closes or a signal comes before; the state is kept.
        BlockedError
            If the loss is no number, or the network collapsed or learned nothing.
        """
        trainer, request = self.trainer, self.request
        per_epoch = steps_per_epoch(trainer.n_items, trainer.batch_items)
        with in_foreign_code(), Interrupts() as asked:
            self._go_on()
            for epoch in range(len(self._figures) // per_epoch, request.epochs):
                order = epoch_order(request.seed, epoch, trainer.n_items, trainer.batch_items)
                for items in order[len(self._figures) - epoch * per_epoch :]:
                    self._make_sure_of_time(asked.reason)
                    self._step(items)
                self._keep()
                self._tell(epoch, per_epoch)
            self._judge()
        return Course(trainer.figures, np.array(self._figures), per_epoch)

    def _go_on(self) -> None:
        """Begin with the newest state that is whole."""
        for found in self.kept.find():
            if isinstance(found, str):
                self.say(found)
                continue
            try:
                figures = found.arrays[FIGURES].reshape(found.step, len(self.trainer.figures))
                state = {
                    name.removeprefix(NETWORK): array
                    for name, array in found.arrays.items()
                    if name.startswith(NETWORK)
                }
                self.trainer.restore(state)
            except (KeyError, ValueError) as error:
                self.say(f"the state after step {found.step} is not resumed: {error}")
                continue
            self._figures = [tuple(row) for row in figures.tolist()]
            self.say(f"resumes after step {found.step}")
            break
        self._kept_step, self._kept_at_s = len(self._figures), boot_clock_s()

    def _step(self, items: NDArray[np.int64]) -> None:
        began_s = boot_clock_s()
        figures = self.trainer.step(items)
        require_finite(len(self._figures), figures)
        self._figures.append(figures)
        self._longest_s = max(self._longest_s, boot_clock_s() - began_s)

    def _make_sure_of_time(self, asked: str | None) -> None:
        """Keep the state when it is time, and leave when the window holds no further step."""
        needed_s = MARGIN * (self._longest_s + self._keeping_s)
        if asked is None and self.window.remaining_s >= needed_s:
            since_s = boot_clock_s() - self._kept_at_s
            if since_s >= max(self.keep_every_s, self._keeping_s / KEEPING_SHARE):
                self._keep()
            return
        self._keep()
        raise UnfinishedError(
            f"the training is not done yet: {len(self._figures)} steps are",
            why=asked or "the window closed",
            do="run the same command again",
        )

    def _keep(self) -> None:
        if self._kept_step == len(self._figures):
            return
        began_s = boot_clock_s()
        state = {f"{NETWORK}{name}": array for name, array in self.trainer.state().items()}
        figures = np.array(self._figures, np.float64)
        self.kept.save(Checkpoint(len(self._figures), {**state, FIGURES: figures}))
        self._kept_step, self._kept_at_s = len(self._figures), boot_clock_s()
        self._keeping_s = self._kept_at_s - began_s

    def _tell(self, epoch: int, per_epoch: int) -> None:
        means = np.mean(self._figures[-per_epoch:], axis=0)
        said = ", ".join(
            f"{name} {mean:.5g}" for name, mean in zip(self.trainer.figures, means, strict=True)
        )
        self.say(f"epoch {epoch + 1} of {self.request.epochs}: {said}")

    def _judge(self) -> None:
        if self.must_learn:
            require_learning(np.array([row[0] for row in self._figures]))
        shown = np.linspace(0, self.trainer.n_items - 1, min(SHOWN_ITEMS, self.trainer.n_items))
        patches = self.trainer.predict(shown.astype(np.int64))
        side = self.request.examples.patch_px
        if patches.shape != (len(shown), side, side):
            raise BlockedError(
                "the network gives no patches",
                why=f"their shape is {patches.shape} for {len(shown)} examples of {side} px",
                do="correct the trainer",
            )
        edge = side // 4  # where light falls
        require_contrast(patches[:, edge : side - edge, edge : side - edge])


def write_model(trainer: Trainer, path: Path) -> None:
    """Let a trainer write its model, all or nothing; an exit of its code is an error."""
    with in_foreign_code():
        trainer.save(path)

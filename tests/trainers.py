"""A trainer that needs no framework: a weight per pixel, momentum, and noise from its own dice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.host import durable
from ptyrun.trainers import Examples, State, TrainingRequest, number, refuse_unknown
from ptyrun.training.checkpoints import packed


def make_examples(n: int = 12, side_px: int = 16, channels: int = 1, seed: int = 0) -> Examples:
    """Groups of a made-up object with a round probe, all members at one place."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side_px, :side_px] - side_px // 2
    probe = np.exp(-(y**2 + x**2) / (side_px / 4) ** 2 + 0.05j * (y**2 + x**2))
    truth = rng.uniform(0.5, 1, (n, side_px, side_px)) * np.exp(
        1j * rng.uniform(0, 1, (n, 1, side_px))
    )
    waves = np.fft.fft2(probe * truth, norm="ortho")
    frames = np.abs(np.fft.fftshift(waves, axes=(1, 2)))
    factor = side_px / 2 / np.sqrt((frames**2).sum(axis=(1, 2)).mean())
    return Examples(
        np.repeat(factor * frames[..., None], channels, -1).astype(np.float32),
        np.zeros((n, 1, 2, channels), np.float32),
        (factor * probe).astype(np.complex64),
        lambda: truth.astype(np.complex64),
    )


class PixelTrainer:
    """Sound; its subclasses in the tests are not."""

    figures: tuple[str, ...] = ("loss", "noise")
    identity = "numpy"

    def __init__(self, request: TrainingRequest) -> None:
        refuse_unknown(request.settings, {"rate": 0})
        self.rate = number(request.settings, "rate", 0.05)
        self.patterns = request.examples.diffraction[..., 0].astype(np.float64)
        self.truth = np.abs(request.examples.truth()).astype(np.float64)
        self.n_items, self.batch_items = len(self.patterns), 4
        self.dice = np.random.default_rng(request.seed)
        self.weights = self.dice.normal(size=self.patterns.shape[1:])
        self.speed = np.zeros_like(self.weights)
        self.steps = 0

    @classmethod
    def open(cls, request: TrainingRequest) -> PixelTrainer:
        return cls(request)

    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        wrong = self.weights * self.patterns[items] - self.truth[items]
        noise = float(self.dice.normal())
        slope = (wrong * self.patterns[items]).mean(axis=0) * (1 + 1e-3 * noise)
        self.speed = 0.5 * self.speed - self.rate / (1 + 0.1 * self.steps) * slope
        self.weights = self.weights + self.speed
        self.steps += 1
        return float(np.mean(wrong**2)), noise

    def state(self) -> State:
        dice: Any = self.dice.bit_generator.state["state"]
        words = [(dice[name] >> shift) % 2**64 for name in ("state", "inc") for shift in (0, 64)]
        return {
            "weights": self.weights.copy(),
            "speed": self.speed.copy(),
            "steps": np.array(self.steps),
            "dice": np.array(words, np.uint64),
        }

    def restore(self, state: State) -> None:
        if state.keys() != self.state().keys() or state["weights"].shape != self.weights.shape:
            raise ValueError("its arrays are those of another network")
        self.weights, self.speed = state["weights"].copy(), state["speed"].copy()
        self.steps = int(state["steps"])
        low, high, low_inc, high_inc = state["dice"].tolist()
        whole: Any = self.dice.bit_generator.state
        whole["state"] = {"state": low + (high << 64), "inc": low_inc + (high_inc << 64)}
        self.dice.bit_generator.state = whole

    def predict(self, items: NDArray[np.int64]) -> NDArray[np.complex64]:
        return (self.weights * self.patterns[items]).astype(np.complex64)

    def save(self, path: Path) -> None:
        durable.write_atomic(path, packed({"weights": self.weights}, ""))

    def close(self) -> None:
        pass

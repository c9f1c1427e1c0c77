"""A training that learned nothing is told from one that learned slowly, by what chance moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.errors import BlockedError
from ptyrun.training.verdict import require_learning

STEPS = 400


@pytest.mark.parametrize("seed", range(10))
def test_a_loss_that_moves_by_chance_alone_is_no_learning(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0.85, 0.02, STEPS)
    # By chance the end lies below the beginning, as it does every other time.
    n_first, n_last = STEPS // 50, STEPS // 10
    noise[-n_last:] += noise[:n_first].mean() - noise[-n_last:].mean() - 0.002
    with pytest.raises(BlockedError, match="noise alone changes it by"):
        require_learning(noise)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_steps=st.integers(2, 2000),
    fall=st.floats(0.3, 0.99),
    noise=st.floats(0, 0.02),
)
def test_a_loss_that_falls_by_far_more_than_its_noise_is_learning(
    seed: int, n_steps: int, fall: float, noise: float
) -> None:
    scatter = np.clip(np.random.default_rng(seed).normal(0, noise, n_steps), -2 * noise, 2 * noise)
    require_learning(1 - fall * np.linspace(0, 1, n_steps) + scatter)

"""Which examples does a step learn from, and how fast? Functions of seed and step alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def steps_per_epoch(n_items: int, batch_items: int) -> int:
    """How many batches an epoch has; what does not fill one is left out, others each time.

    Parameters
    ----------
    n_items : int
        Number of examples.
    batch_items : int
        Examples of one step.

    Returns
    -------
    int
        At least 1.
    """
    return max(1, n_items // batch_items)


def epoch_order(seed: int, epoch: int, n_items: int, batch_items: int) -> NDArray[np.int64]:
    """Draw the batches of an epoch, which depend on nothing but these numbers.

    Parameters
    ----------
    seed : int
        Of the training.
    epoch : int
        Number of the epoch, from 0.
    n_items : int
        Number of examples.
    batch_items : int
        Examples of one step.

    Returns
    -------
    ndarray of int64, shape (steps, B)
        Numbers of the examples of each step.
    """
    order = np.random.default_rng([seed, epoch]).permutation(n_items)
    steps = steps_per_epoch(n_items, batch_items)
    batch = min(batch_items, n_items)
    return order[: steps * batch].reshape(steps, batch).astype(np.int64)


def one_cycle(step: int, total: int, warm_up: float) -> tuple[float, float]:
    """Give the learning rate, in parts of the highest, and Adam's first beta for a step.

    Rate and momentum go up and down against each other, each by half a cosine. Source: L. N. Smith
    and N. Topin, Proc. SPIE 11006, 1100612 (2019), doi:10.1117/12.2520589.

    Parameters
    ----------
    step : int
        Number of the step, from 0.
    total : int
        Number of all steps.
    warm_up : float
        Fraction of the steps in which the rate rises.

    Returns
    -------
    tuple of float
        Learning rate as a fraction of the highest, and Adam's first beta.

    Examples
    --------
    >>> [round(one_cycle(step, 101, 0.1)[0], 3) for step in (0, 9, 100)]
    [0.04, 1.0, 0.0]
    """
    top = max(warm_up * total - 1, 0.0)
    if step <= top:
        return _cosine(0.04, 1.0, step / max(top, 1)), _cosine(0.95, 0.85, step / max(top, 1))
    done = (step - top) / max(total - 1 - top, 1)
    return _cosine(1.0, 4e-6, done), _cosine(0.85, 0.95, done)


def _cosine(first: float, last: float, done: float) -> float:
    return last + (first - last) / 2 * (1 + math.cos(math.pi * min(done, 1.0)))

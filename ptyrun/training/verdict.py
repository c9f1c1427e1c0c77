"""Has a network learned anything? NaN, constant patches and a loss that did not fall block it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import BlockedError

# Patches of a network that answers at all differ by far more than rounding.
LEAST_CONTRAST = 1e-3
FIRST_SHARE = 0.02  # of all steps: what an untrained network loses
LAST_SHARE = 0.1
BEYOND_CHANCE = 2.0  # standard errors
DO = "change seed, length or settings of this training, or look at its data, then run again"


def require_finite(step: int, losses: tuple[float, ...]) -> None:
    """Refuse a loss that is no number; raises BlockedError."""
    if not all(map(math.isfinite, losses)):
        raise BlockedError(
            f"the training diverged at step {step + 1}",
            why=f"its loss is {', '.join(f'{each:g}' for each in losses)}",
            do=DO,
        )


def require_learning(losses: NDArray[np.float64]) -> None:
    """Refuse a training whose loss is not lower at its end than at its beginning, beyond chance.

    How far one step's loss differs from the next one's, over the second half, says what chance is.

    Parameters
    ----------
    losses : ndarray of float64, shape (steps,)

    Raises
    ------
    BlockedError
        If it is not.
    """
    n_first, n_last = (max(1, round(share * len(losses))) for share in (FIRST_SHARE, LAST_SHARE))
    first, last = losses[:n_first].mean(), losses[-n_last:].mean()
    changes = np.diff(losses[len(losses) // 2 :])
    of_one_step = changes.std() / np.sqrt(2) if len(changes) > 1 else 0.0
    by_chance = BEYOND_CHANCE * of_one_step * np.sqrt(1 / n_first + 1 / n_last)
    if len(losses) > 1 and not first - last > by_chance:
        raise BlockedError(
            "the network learned nothing",
            why=f"its loss was {first:.4g} at first, and is {last:.4g} after {len(losses)} steps; "
            f"noise alone changes it by {by_chance:.2g}",
            do=DO,
        )


def require_contrast(patches: NDArray[np.complex64]) -> None:
    """Refuse a network that gives a constant, or the same for whatever it is given.

    Parameters
    ----------
    patches : ndarray of complex64, shape (B, N, N)
        Of examples that differ.

    Raises
    ------
    BlockedError
        If a patch is not finite, all are flat, or all are the same.
    """
    if not np.isfinite(patches).all():
        raise BlockedError(
            "the network gives patches that are not finite",
            why=f"{np.count_nonzero(~np.isfinite(patches))} of {patches.size} values are not",
            do=DO,
        )
    values = patches.astype(np.complex128)
    scale = math.sqrt(float(np.mean(np.abs(values) ** 2)))
    flat = values - values.mean(axis=(1, 2), keepdims=True)
    same = values - values.mean(axis=0)
    for rest, what in ((flat, "constant patches"), (same, "the same patch for every example")):
        contrast = math.sqrt(float(np.mean(np.abs(rest) ** 2)))
        if not contrast > LEAST_CONTRAST * scale and (rest is flat or len(values) > 1):
            raise BlockedError(
                "the network collapsed",
                why=f"it gives {what}: they vary by {contrast:.3g} of {scale:.3g} or less",
                do=DO,
            )

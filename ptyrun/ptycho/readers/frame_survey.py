"""What did one pass over all frames find, and which of them hold no signal?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

# Of the energy of a bright frame: what has less carries no signal. One that most others are
# darker than is bright: of an aborted scan it may be but the twentieth.
DARK, BRIGHT = 1e-3, 0.95
# Energies looked at together: bounds memory, changes nothing.
FRAMES_AT_ONCE = 1 << 14
# Of amplitudes: below which the field takes data for normalised.
NORMAL_MAXIMUM, FAR_ABOVE_MEAN = 10, 100


@dataclass(frozen=True)
class Survey:
    """What one pass over all frames found.

    ``energies`` (n,) float64 is the sum of the squared amplitude per frame; ``maximum`` and
    ``mean`` are of the amplitude.
    """

    energies: NDArray[np.float64]
    maximum: float
    mean: float

    @cached_property
    def dark(self) -> NDArray[np.int64]:
        """Frames without signal, by their numbers: no light fell on the detector."""
        return dark_frames(self.energies)

    @property
    def dark_note(self) -> str:
        """Name the frames without signal, and say what becomes of them; empty without one."""
        dark = self.dark
        if not len(dark):
            return ""
        runs = np.split(dark, np.flatnonzero(np.diff(dark) > 1) + 1)
        named = [f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs[:5]]
        more = ", ..." if len(runs) > 5 else ""
        return (
            f"{len(dark)} of {len(self.energies)} frames hold no signal ({', '.join(named)}{more}):"
            " their patches weigh nothing, and no figure is of them; --leave-out-dark selects none "
            "of them"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Say where the amplitudes fail the field's sanity check for normalised data."""
        found = []
        if self.maximum >= NORMAL_MAXIMUM:
            found.append(f"{self.maximum:.4g}, where that of normalised data is below 10")
        if self.maximum >= FAR_ABOVE_MEAN * self.mean:
            found.append(f"{self.maximum / self.mean:.4g} times its mean")
        if not found:
            return ()
        return (
            f"the diffraction is not normalised: its maximum is {', and '.join(found)}. Networks "
            "get it multiplied by one factor, to the mean energy of normalised data: leave counts "
            "as they are, and name hot pixels in bad_pixels (N, N)",
        )


def dark_frames(energies: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number the frames whose energy (n,) is next to nothing beside that of the others.

    Examples
    --------
    >>> dark_frames(np.array([4.0, 5.0, 0.0, 4.0]))
    array([2])
    """
    n_lit = int(np.count_nonzero(energies > 0))
    least = np.inf
    if n_lit:
        n_bright = n_lit - int(np.floor((n_lit - 1) * BRIGHT))
        least = DARK * float(_largest(energies, n_bright).min())
    return np.flatnonzero(energies < least).astype(np.int64)


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Find the *count* largest; of no more than these, and of a block, there is a copy."""
    found = np.empty(0)
    for first in range(0, len(values), FRAMES_AT_ONCE):
        found = np.concatenate([found, values[first : first + FRAMES_AT_ONCE]])
        if len(found) > count:
            found = np.partition(found, -count)[-count:]
    return found

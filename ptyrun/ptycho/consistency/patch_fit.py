"""Do a network's patches explain the measured frames, and would they if they were turned round?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.consistency.frame_fit import CLEARLY, EXPLAINING, residual
from ptyrun.ptycho.consistency.frame_model import lit, modelled_amplitudes, spread
from ptyrun.ptycho.geometry.grouping import group_centres_px
from ptyrun.ptycho.readers.scan import Scan

SEED = 7
MOST_PATCHES = 128
# Of the probe's intensity, what must lie on the patches around a frame.
LEAST_LIT = 0.95
FEWEST_FRAMES = 8

Patches = NDArray[np.complex64]


def _inverted(patches: Patches) -> Patches:
    amplitude = np.abs(patches)
    turned = np.maximum(2 * amplitude.mean() - amplitude, 0)
    phasor = np.divide(patches, amplitude, out=np.ones_like(patches), where=amplitude > 0)
    return np.asarray(turned * phasor, np.complex64)


TURNS: Mapping[str, Callable[[Patches], Patches]] = {
    "conjugated": np.conj,
    "transposed (x and y swapped)": lambda patches: patches.transpose(0, 2, 1),
    "upside down": lambda patches: patches[:, ::-1],
    "left to right": lambda patches: patches[:, :, ::-1],
    "turned by half a turn": lambda patches: patches[:, ::-1, ::-1],
    "with inverted contrast of the amplitude": _inverted,
}


def patch_doubt(
    scan: Scan,
    patches: Patches,
    members_px: NDArray[np.float64],
    frames: NDArray[np.int64],
) -> str | None:
    """Say in which other orientation patches explain their frames clearly better; None if in none.

    None as well where that cannot be told: without a probe, or with too few frames.

    Parameters
    ----------
    scan : Scan
    patches : ndarray of complex64, shape (k, N, N)
        What a network predicted of some groups.
    members_px : ndarray of float64, shape (k, C, 2)
        Where each group's frames lie, as (y, x).
    frames : ndarray of int, shape (k, C)
        Their numbers.
    """
    given = np.asarray(patches[:MOST_PATCHES], np.complex64)
    covered = _Covered.of(scan, members_px[: len(given)], frames[: len(given)])
    if covered is None:
        return None
    as_given = covered.residual_of(given)
    turned = {name: covered.residual_of(turn(given)) for name, turn in TURNS.items()}
    for name in sorted(turned, key=lambda each: turned[each]):
        if turned[name] >= CLEARLY * as_given:
            return None
        if turned[name] < EXPLAINING * covered.residual_of(TURNS[name](given), shuffled=True):
            return (
                f"its patches explain the frames better {name}: residual "
                f"{turned[name]:.2f} instead of {as_given:.2f}"
            )
    return None


@dataclass(frozen=True)
class _Covered:
    """Where patches lie, and the frames that see little else.

    Patches are laid with the probe's intensity as their weight: what it does not light, no frame
    tells.
    """

    corners_px: list[list[int]]
    weight: NDArray[np.float32]
    light: NDArray[np.float32]
    modes: NDArray[np.complex64]
    positions_px: NDArray[np.float64]
    measured: NDArray[np.float32]

    @classmethod
    def of(
        cls, scan: Scan, members_px: NDArray[np.float64], frames: NDArray[np.int64]
    ) -> _Covered | None:
        """Find the frames; None if they cannot tell anything."""
        modes, side = scan.probe_modes, scan.patch_px
        if scan.near_field or modes is None or modes.shape[-2:] != (side, side):
            return None
        centres = np.rint(group_centres_px(members_px)).astype(np.int64)
        origin = centres.min(axis=0) - side
        corners = centres - origin - side // 2
        # Before what is large: NumPy keeps small arrays, and a heap is given back down to the last.
        places_px = dict(zip(frames.ravel().tolist(), members_px.reshape(-1, 2), strict=True))
        own = np.array(sorted(places_px))
        here = np.stack([places_px[frame] for frame in own.tolist()]) - origin
        shape = tuple((corners.max(axis=0) + 2 * side).tolist())
        weight = (np.abs(modes) ** 2).sum(axis=0, dtype=np.float64).astype(np.float32)
        light = np.zeros(shape, np.float32)
        for y, x in corners.tolist():
            light[y : y + side, x : x + side] += weight
        light[light <= 1e-3 * weight.max()] = 0
        seen = np.flatnonzero(_lit_shares(light > 0, weight, here) >= LEAST_LIT)
        if len(seen) < FEWEST_FRAMES:
            return None
        chosen = spread(seen)
        kept, measured = lit(scan, own[chosen])
        if len(kept) < FEWEST_FRAMES:
            return None
        return cls(
            corners.tolist(),
            weight,
            light,
            modes.astype(np.complex64),
            here[chosen[np.isin(own[chosen], kept)]],
            measured.astype(np.float32),
        )

    def residual_of(self, patches: Patches, *, shuffled: bool = False) -> float:
        """What is left of the frames; *shuffled*, by positions exchanged among them."""
        side = self.weight.shape[-1]
        image = np.zeros(self.light.shape, np.complex64)
        for (y, x), patch in zip(self.corners_px, patches, strict=True):
            image[y : y + side, x : x + side] += self.weight * patch
        np.divide(image, self.light, out=image, where=self.light > 0)
        where = self.positions_px
        if shuffled:
            where = where[np.random.default_rng(SEED).permutation(len(where))]
        return residual(self.measured, modelled_amplitudes(image, where, self.modes))


def _lit_shares(
    lit_px: NDArray[np.bool_], weight: NDArray[np.float32], positions_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of the probe's intensity at each position, the part that lies on lit pixels."""
    side = weight.shape[-1]
    corners = np.rint(positions_px).astype(np.int64) - side // 2
    fits = (corners >= 0).all(axis=1) & (corners + side <= np.array(lit_px.shape)).all(axis=1)
    shares = np.zeros(len(corners))
    for each in np.flatnonzero(fits).tolist():
        y, x = corners[each].tolist()
        shares[each] = weight[lit_px[y : y + side, x : x + side]].sum(dtype=np.float64)
    return np.asarray(shares / weight.sum(dtype=np.float64))

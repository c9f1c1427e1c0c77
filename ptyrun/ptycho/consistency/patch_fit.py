"""Do a network's patches explain the measured frames, and would they if they were turned round?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.consistency.frame_fit import FrameFit, explaining, residual
from ptyrun.ptycho.consistency.frame_model import lit, modelled_amplitudes, spread
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
    return np.asarray(turned * np.exp(1j * np.angle(patches)), np.complex64)


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
    centres_px: NDArray[np.float64],
    frames: NDArray[np.int64],
) -> str | None:
    """Say in which other orientation patches explain their frames clearly better; None if in none.

    Parameters
    ----------
    scan : Scan
    patches : ndarray of complex64, shape (k, N, N)
        What a network predicted of some groups.
    centres_px : ndarray of float64, shape (k, 2)
        Where each is laid, as (y, x).
    frames : ndarray of int, shape (k, C)
        The frames of each group.
    """
    fit = patch_fit(scan, patches, centres_px, frames)
    if fit is None or fit.better is None:
        return None
    return (
        f"its patches explain the frames better {fit.better}: residual "
        f"{fit.turned[fit.better]:.2f} instead of {fit.as_given:.2f}"
    )


def patch_fit(
    scan: Scan,
    patches: Patches,
    centres_px: NDArray[np.float64],
    frames: NDArray[np.int64],
) -> FrameFit | None:
    """Hold what patches add up to against their frames; None where that cannot be told.

    Parameters are those of :func:`patch_doubt`. Patches are laid with the probe's intensity as
    their weight: what it does not light, no frame tells.
    """
    modes, side = scan.probe_modes, scan.patch_px
    if scan.near_field or modes is None or modes.shape[-2:] != (side, side):
        return None
    taken = np.arange(len(patches))[:MOST_PATCHES]
    corner = np.rint(centres_px[taken]).astype(np.int64).min(axis=0) - side
    places = np.rint(centres_px[taken]).astype(np.int64) - corner - side // 2
    shape = tuple((places.max(axis=0) + 2 * side).tolist())
    weight = (np.abs(modes) ** 2).sum(axis=0, dtype=np.float64)
    light = np.zeros(shape)
    for y, x in places.tolist():
        light[y : y + side, x : x + side] += weight
    lit_px = light > 1e-3 * weight.max()
    own = np.unique(frames[taken])
    here = scan.positions_px[own] - corner
    corners = np.rint(here).astype(np.int64) - side // 2
    fits = (corners >= 0).all(axis=1) & (corners + side <= np.array(shape)).all(axis=1)
    shares = [
        float(weight[lit_px[y : y + side, x : x + side]].sum() / weight.sum()) if fit else 0.0
        for (y, x), fit in zip(corners.tolist(), fits, strict=True)
    ]
    seen = np.flatnonzero(np.array(shares) >= LEAST_LIT)
    if len(seen) < FEWEST_FRAMES:
        return None
    chosen = spread(seen)
    given_frames = own[chosen]
    kept, measured = lit(scan, given_frames)
    if len(kept) < FEWEST_FRAMES:
        return None
    chosen = chosen[np.isin(given_frames, kept)]
    where = here[chosen]
    order = np.random.default_rng(SEED).permutation(len(chosen))

    def residuals(turned: Patches) -> tuple[float, float]:
        total = np.zeros(shape, np.complex128)
        for (y, x), patch in zip(places.tolist(), turned, strict=True):
            total[y : y + side, x : x + side] += weight * patch
        image = np.divide(total, light, out=np.zeros_like(total), where=lit_px)
        right, wrong = (modelled_amplitudes(image, p, modes) for p in (where, where[order]))
        return residual(measured, right), residual(measured, wrong)

    given = np.asarray(patches[taken])
    as_given, shuffled = residuals(given)
    turned = {name: residuals(turn(given)) for name, turn in TURNS.items()}
    return FrameFit(as_given, shuffled, explaining(turned))

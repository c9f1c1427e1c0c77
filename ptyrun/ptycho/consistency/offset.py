"""Would a scan's object explain the frames if all positions were moved by the same offset?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.consistency.frame_fit import EXPLAINING, SEED, FrameFit, residual
from ptyrun.ptycho.consistency.frame_model import (
    Complex2D,
    Positions,
    evenly,
    lit,
    modelled_amplitudes,
)
from ptyrun.ptycho.readers.scan import Scan

# Offsets are looked for in frames of this side: in the middle of larger ones.
_COARSE_PX = 32
_COARSE_STEP = 2
_COARSE_FRAMES = 12
_KEPT = 4
_FEWEST = 4
# What is right leaves less than this of the residual that is asked to be explained.
_CLEARLY = 0.8
# A smaller residual is none: nothing is looked for.
_LEAST = 0.05

Stack = NDArray[np.float64]


@dataclass(frozen=True)
class Offset:
    """By how much (y, x) positions are to be moved, and the residual that is left then."""

    moved_px: tuple[int, int]
    residual: float


def better_offset(scan: Scan, image: Complex2D, fit: FrameFit) -> Offset | None:
    """Look for an offset of up to half a frame with which the object explains the frames better.

    Parameters
    ----------
    scan : Scan
        A far-field scan with a probe.
    image : ndarray of complex, shape (H, W)
        Its object.
    fit : FrameFit
        How the object explains the frames at the positions as they are.

    Returns
    -------
    Offset or None
        None where there is none that is clearly better.

    Notes
    -----
    The middle M x M of a frame of N x N pixels is the frame of an object of pixels N/M as large.
    """
    probe = scan.probe_modes
    if probe is None or fit.as_given < _LEAST:
        return None
    frames, measured = lit(scan, evenly(scan.n_frames))
    few = np.linspace(0, len(frames) - 1, min(len(frames), _COARSE_FRAMES)).astype(np.int64)
    side = scan.patch_px
    factor = max(1, side // _COARSE_PX)
    reach = side // 2
    step = _COARSE_STEP * factor
    near = [*range(-reach, reach, step), reach]
    candidates = set(product(near, near)) - {(0, 0)}
    found: list[tuple[float, tuple[int, int]]] = []
    while candidates:
        coarse = _Coarse(image, probe, measured[few], scan.positions_px[frames[few]], factor)
        found = sorted((coarse.residual(each), each) for each in candidates)[:_KEPT]
        if step == 1:
            break
        step = step // 2
        factor = max(1, factor // 2)
        candidates = {
            (y + dy * step, x + dx * step)
            for _, (y, x) in found
            for dy, dx in product((-1, 0, 1), repeat=2)
        }
    right = found[0][1]
    coarse = _Coarse(image, probe, measured, scan.positions_px[frames], 1)
    left, wrong = coarse.residual(right), coarse.residual(right, shuffled=True)
    if left < EXPLAINING * wrong and left < _CLEARLY * fit.as_given:
        return Offset(right, left)
    return None


class _Coarse:
    """An object, its probe, and frames, all with pixels *factor* as large."""

    def __init__(
        self,
        image: Complex2D,
        probe: Complex2D,
        measured: Stack,
        positions_px: Positions,
        factor: int,
    ) -> None:
        side = measured.shape[-1]
        low = (side - side // factor) // 2
        middle = slice(low, low + side // factor)
        self._measured = np.ascontiguousarray(measured[:, middle, middle])
        self._image, self._probe = _binned(image, factor), _binned(probe, factor)
        self._positions_px, self._factor = positions_px, factor

    def residual(self, moved_px: tuple[int, int], *, shuffled: bool = False) -> float:
        """Relative residual with positions moved; infinite where too few patches are inside."""
        side = self._measured.shape[-1]
        places = (self._positions_px + moved_px) / self._factor
        corners = np.rint(places) - side // 2
        inside = (corners >= 0) & (corners + side <= np.array(self._image.shape))
        kept = np.flatnonzero(inside.all(axis=1))
        if len(kept) < max(_FEWEST, len(places) / 2):
            return np.inf
        order = np.random.default_rng(SEED).permutation(len(kept)) if shuffled else slice(None)
        model = modelled_amplitudes(self._image, places[kept][order], self._probe)
        return residual(self._measured[kept], model)


def _binned(image: Complex2D, factor: int) -> Complex2D:
    """Means of blocks of *factor* x *factor* pixels of (..., H, W)."""
    if factor == 1:
        return image
    height, width = (length // factor for length in image.shape[-2:])
    cut = image[..., : height * factor, : width * factor]
    blocks = cut.reshape(*image.shape[:-2], height, factor, width, factor)
    return np.asarray(blocks.mean(axis=(-3, -1)))

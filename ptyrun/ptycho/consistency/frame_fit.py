"""Does an object explain the measured frames, and would it if it or they were turned round?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ptyrun.ptycho.consistency.frame_model import (
    Complex2D,
    Positions,
    are_inside,
    lit,
    modelled_amplitudes,
    sampled_inside,
)
from ptyrun.ptycho.readers.scan import Scan

SEED = 7
FEWEST = 4  # frames, of which anything is told

Stack = NDArray[np.floating[Any]]

# The right positions leave less than this part of what shuffled ones leave.
EXPLAINING = 0.93
# An object whose agreement with the frames nothing else can deny leaves less than this part.
EXPLAINING_WELL = 0.5
# Another orientation must be better by this factor to be believed.
CLEARLY = 0.9
# And the root of the frames by this one: a poor probe reaches 0.75 with right amplitudes.
ROOT_CLEARLY = 0.7

TRANSPOSED = "each frame transposed"
SWAPPED = "x and y of the positions swapped"
DC_IN_CORNER = "the zero frequency in the corner of each frame"
# Where one of these is better, the frames are at fault and not the object.
# Of frames with an even number of pixels, the zero frequency stays where it is or moves by one.
FLIPS = {
    "each frame upside down": (1,),
    "each frame left to right": (2,),
    "each frame turned by half a turn": (1, 2),
}
OF_FRAMES = frozenset({TRANSPOSED, DC_IN_CORNER, *FLIPS})


@dataclass(frozen=True)
class FrameFit:
    """Relative residuals of |FFT(probe x object patch)| against the measured amplitudes.

    ``as_given`` is that of the object at the scan's positions; ``shuffled`` the same with the
    positions exchanged among the frames, which is what an unrelated object leaves; ``turned`` has
    those orientations of the object or of the frames, by name, that explain the frames in the same
    sense. ``root`` is that of the object against the root of the amplitudes, where it explains
    that; None where it does not, or where amplitudes are roots of intensities already. ``square``
    is the other way round: against the squares of amplitudes that are roots of what is stored.
    """

    as_given: float
    shuffled: float
    turned: Mapping[str, float]
    root: float | None = None
    square: float | None = None

    @property
    def explains(self) -> bool:
        """Whether the object belongs to the frames at all."""
        return self.as_given < EXPLAINING * self.shuffled

    @property
    def explains_well(self) -> bool:
        """Whether no object that is not of these frames leaves as little."""
        return self.better is None and self.as_given < EXPLAINING_WELL * self.shuffled

    @property
    def turned_well(self) -> bool:
        """Whether another orientation leaves as little as what is of these frames."""
        better = self.better
        return better is not None and self.turned[better] < EXPLAINING_WELL * self.shuffled

    @property
    def better(self) -> str | None:
        """The orientation that is clearly better than the one given, if any."""
        name = min(self.turned, key=lambda each: self.turned[each], default=None)
        return name if name and self.turned[name] < CLEARLY * self.as_given else None

    @property
    def looks_like_intensity(self) -> bool:
        """Whether what was taken as amplitude is clearly better explained as intensity."""
        return self.root is not None and self.root < ROOT_CLEARLY * self.as_given

    @property
    def looks_like_amplitude(self) -> bool:
        """Whether what was taken as intensity is clearly better explained as amplitude."""
        return self.square is not None and self.square < ROOT_CLEARLY * self.as_given


def frame_fit(scan: Scan, image: Complex2D, probe: Complex2D | None = None) -> FrameFit | None:
    """Compare an object with up to 48 frames spread over the scan.

    Parameters
    ----------
    scan : Scan
        A far-field scan.
    image : ndarray of complex, shape (H, W)
        The object on the scan's own pixel grid.
    probe : ndarray of complex, shape (N, N) or (M, N, N), optional
        The probe, or its modes, that was reconstructed with it; the scan's when None.

    Returns
    -------
    FrameFit or None
        None where there is no probe, or too few frames lie inside the object.
    """
    sample = _Sample.of(scan, image, probe)
    if sample is None:
        return None
    beam, here, measured = sample.beam, sample.positions_px, sample.measured
    order = np.random.default_rng(SEED).permutation(len(here))
    objects: dict[str, tuple[Complex2D, Positions]] = {
        SWAPPED: (image, here[:, ::-1]),
        "the object transposed": (image.T, here),
        "the object conjugated": (image.conj(), here),
        "the object upside down": (image[::-1], here),
        "the object left to right": (image[:, ::-1], here),
        "the object turned by half a turn": (image[::-1, ::-1], here),
    }

    def residuals(field: Complex2D, places: Positions, *stacks: Stack) -> list[tuple[float, float]]:
        right, wrong = (modelled_amplitudes(field, p, beam) for p in (places, places[order]))
        return [(residual(each, right), residual(each, wrong)) for each in stacks]

    # The same models for all of these: they are what costs time.
    (as_given, shuffled), (other, other_shuffled), *of_frames = residuals(
        image,
        here,
        measured,
        measured**2 if scan.intensity else np.sqrt(measured),
        measured.transpose(0, 2, 1),
        fft.ifftshift(measured, axes=(1, 2)),
        *(each for axes in FLIPS.values() for each in _flipped(measured, axes)),
    )
    turned = dict(zip((TRANSPOSED, DC_IN_CORNER), of_frames[:2], strict=True))
    flips = dict(zip(FLIPS, map(min, of_frames[2::2], of_frames[3::2]), strict=True))
    turned |= {name: residuals(*turn, measured)[0] for name, turn in objects.items()}
    # What is symmetric is explained by many turns: those that are told of most often come first.
    least = min(explaining(turned).values(), default=np.inf)
    turned |= {name: found for name, found in flips.items() if found[0] < CLEARLY * least}
    other_kind = other if other < EXPLAINING * other_shuffled else None
    root, square = (None, other_kind) if scan.intensity else (other_kind, None)
    return FrameFit(as_given, shuffled, explaining(turned), root, square)


def residual_as_given(scan: Scan, image: Complex2D, probe: Complex2D | None = None) -> float:
    """As ``as_given`` of :func:`frame_fit`, without asking what else there might be.

    Parameters
    ----------
    scan : Scan
        A far-field scan.
    image : ndarray of complex, shape (H, W)
        The object on the scan's own pixel grid.
    probe : ndarray of complex, shape (N, N) or (M, N, N), optional
        The probe, or its modes, that was reconstructed with it; the scan's when None.

    Returns
    -------
    float
        Infinite where it cannot be told.
    """
    sample = _Sample.of(scan, image, probe)
    if sample is None:
        return np.inf
    return residual(sample.measured, modelled_amplitudes(image, sample.positions_px, sample.beam))


@dataclass(frozen=True)
class _Sample:
    """Frames (n, N, N) with light that lie inside an object, and what they are modelled with."""

    beam: Complex2D
    positions_px: Positions
    measured: Stack

    @classmethod
    def of(cls, scan: Scan, image: Complex2D, probe: Complex2D | None) -> Self | None:
        """Read them; None where nothing can be told of them."""
        beam = scan.probe_modes if probe is None else probe
        if scan.near_field or beam is None or beam.shape[-2:] != (scan.patch_px, scan.patch_px):
            return None
        chosen = sampled_inside(are_inside(scan, image.shape))
        if len(chosen) < FEWEST:
            return None
        frames, measured = lit(scan, chosen)
        if len(frames) < FEWEST:
            return None
        return cls(beam, scan.positions_px[frames], measured)


def _flipped(frames: Stack, axes: tuple[int, ...]) -> tuple[Stack, Stack]:
    flipped = np.flip(frames, axes)
    return flipped, np.roll(flipped, 1, axes)


def explaining(turned: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Keep residuals that are smaller than those with positions exchanged: (right, shuffled)."""
    return {name: right for name, (right, wrong) in turned.items() if right < EXPLAINING * wrong}


def residual(measured: Stack, model: Stack) -> float:
    """Root of the mean square over that of the amplitudes, with the best common scale."""
    power = float(np.sum(model**2, dtype=np.float64))
    scale = float(np.sum(model * measured, dtype=np.float64)) / power if power > 0 else 0.0
    left = np.sum((scale * model - measured) ** 2, dtype=np.float64)
    return float(np.sqrt(left / np.sum(measured**2, dtype=np.float64)))

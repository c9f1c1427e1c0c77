"""Are the frames of a scan in the order of its positions, and does its object contradict them?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.consistency.frame_model import are_inside, modelled_amplitudes, sampled_inside
from ptyrun.ptycho.geometry.grouping import nearest_other
from ptyrun.ptycho.readers.frame_survey import dark_frames
from ptyrun.ptycho.readers.scan import Scan

LEAST_FRAMES = 12

# Noise and distance may leave no likeness to be found; below these nothing is concluded.
TELLING_OWN = 0.3
TELLING_NEIGHBOUR = 0.15
# Neighbours that have more than this in common do not owe it to noise.
PLAIN_NEIGHBOUR = 0.3
# Of the likeness expected: scans in order reach more than half, shuffled ones next to nothing.
LOST = 1 / 3

Stack = NDArray[np.float64]


@dataclass(frozen=True)
class FrameOrder:
    """What frames have in common beyond their mean, as correlations.

    ``own`` is that of frames with what the scan's object promises at their positions;
    ``neighbour`` that of frames with those measured at the nearest other position, which needs
    neither object nor probe to be right. ``own_expected`` and ``neighbour_expected`` are what
    object, probe and noise let expect of a scan in order.
    """

    own: float
    own_expected: float
    neighbour: float
    neighbour_expected: float

    @property
    def is_shuffled(self) -> bool:
        """Whether both likenesses should be there, and neither is."""
        return (
            self.contradicts_object
            and self.neighbour_expected >= TELLING_NEIGHBOUR
            and self.neighbour < LOST * self.neighbour_expected
        )

    @property
    def contradicts_object(self) -> bool:
        """Whether frames lack what they should have in common with the object.

        Noise is no reason: it lowers what is expected too.
        """
        return self.own_expected >= TELLING_OWN and self.own < LOST * self.own_expected

    @property
    def has_unexplained_similarity(self) -> bool:
        """Whether neighbours have plainly in common what the object does not promise."""
        return self.neighbour >= PLAIN_NEIGHBOUR and self.neighbour_expected < LOST * self.neighbour


def frame_order(scan: Scan) -> FrameOrder | None:
    """Compare up to 48 frames with the scan's own object and with their neighbours.

    Returns
    -------
    FrameOrder or None
        None where there is no object or no probe, in the near field, or where fewer than 12
        frames lie inside the object.
    """
    image, probe = scan.object_guess, scan.probe_modes
    if scan.near_field or image is None or probe is None:
        return None
    inside = are_inside(scan, image.shape)
    seeds = sampled_inside(inside)
    if len(seeds) < LEAST_FRAMES:
        return None
    pairs = (seeds, nearest_other(scan.positions_px, inside, seeds))
    here, beside = (scan.amplitudes(frames).astype(np.float64) for frames in pairs)
    energies = np.einsum("nij,nij->n", here, here), np.einsum("nij,nij->n", beside, beside)
    dark = dark_frames(np.minimum(*energies))
    if len(dark):
        pairs = (np.delete(pairs[0], dark), np.delete(pairs[1], dark))
        here, beside = np.delete(here, dark, axis=0), np.delete(beside, dark, axis=0)
    if len(here) < LEAST_FRAMES:
        return None
    models = [
        modelled_amplitudes(image, scan.positions_px[frames], probe).astype(np.float64)
        for frames in pairs
    ]
    power = float(np.sum(models[0] ** 2))
    scale = float(np.sum(models[0] * here)) / power if power > 0 else 0.0

    here, beside = _deviations(here, beside)
    model, model_beside = _deviations(*models)
    energy = float(np.sum(here**2))
    # The rest of what frames deviate by is noise, and shared with nothing.
    share = scale**2 * float(np.sum(model**2)) / energy if energy > 0 else 0.0
    return FrameOrder(
        own=_correlation(here, model),
        own_expected=float(np.sqrt(share)),
        neighbour=_correlation(here, beside),
        neighbour_expected=share * _correlation(model, model_beside),
    )


def _deviations(first: Stack, second: Stack) -> tuple[Stack, Stack]:
    """From the mean frame of both, which any frame has in common with any other."""
    mean = (first.mean(axis=0) + second.mean(axis=0)) / 2
    return first - mean, second - mean


def _correlation(first: Stack, second: Stack) -> float:
    norm = float(np.sqrt(np.sum(first**2) * np.sum(second**2)))
    return float(np.sum(first * second)) / norm if norm > 0 else 0.0

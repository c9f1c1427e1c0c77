"""Where on a scan's grid does a finished reconstruction lie? Where it explains the frames best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.consistency.frame_fit import (
    CLEARLY,
    EXPLAINING_WELL,
    FrameFit,
    frame_fit,
    residual_as_given,
)
from ptyrun.ptycho.geometry.placement import Region, extremes, origins_px, placed
from ptyrun.ptycho.metrics.shift_search import EDGE, candidates
from ptyrun.ptycho.readers.reconstruction import Reconstruction
from ptyrun.ptycho.readers.scan import Scan

# Of what both take on a canvas, how far a place may be from where the search begins.
FARTHEST = 0.45
# Of what it covers at the usual place, what it covers at least at another one: where little of it
# was scanned, that alone may be right.
LEAST_KEPT = 0.35

Complex2D = NDArray[np.complexfloating[Any, Any]]
Origin = tuple[int, int]


@dataclass(frozen=True)
class Placement:
    """A reconstruction on the object's grid.

    Attributes
    ----------
    image : ndarray of complex64, shape (H, W)
        Zero where it does not reach.
    coverage : ndarray of float64, shape (H, W)
        One where it does.
    size_px : (int, int)
        Height and width of the reconstruction as it came.
    fit : FrameFit or None
        How it explains the measured frames there; None where that cannot be told.
    probe_px : (int, int), optional
        Of the probe that came with it, where that is not of the scan's size.
    reference : FrameFit, optional
        How the scan's own object explains the frames, where this one does only when turned.
    """

    image: NDArray[np.complex64]
    coverage: NDArray[np.float64]
    size_px: tuple[int, ...]
    fit: FrameFit | None
    probe_px: tuple[int, ...] | None = None
    reference: FrameFit | None = None

    @property
    def is_resized(self) -> bool:
        """Whether it came on a canvas of its own."""
        return self.size_px != self.image.shape

    @property
    def is_unplaced(self) -> bool:
        """Whether it may lie elsewhere: the frames do not say that it lies here."""
        fit = self.fit
        return self.is_resized and fit is not None and not fit.explains and fit.better is None


def place(scan: Scan, shape: tuple[int, int], found: Reconstruction) -> Placement:
    """Lay a reconstruction where it explains the frames best.

    Asked are the places that programs use, and where it does not explain the frames well there,
    the corners of the grid and those where it is like the scan's own object.

    Parameters
    ----------
    scan : Scan
    shape : (int, int)
        The object's grid (H, W).
    found : Reconstruction
    """

    def left(origin: Origin) -> float:
        seen, probe = _seen_from(origin, scan), found.probe_modes
        return residual_as_given(seen, found.object, probe)

    def left_at_best(origin: Origin) -> float:
        seen, probe = _seen_from(origin, scan), found.probe_modes
        return min(left(origin), residual_as_given(seen, found.object.conj(), probe))

    def fitted(origin: Origin) -> FrameFit | None:
        return frame_fit(_seen_from(origin, scan), found.object, found.probe_modes)

    usual = origins_px(found.object.shape, shape, scan.positions_px, scan.patch_px)
    origin = min(usual, key=left) if len(usual) > 1 else usual[0]
    fit = fitted(origin)
    is_resized = found.object.shape != shape
    if is_resized and not (fit and (fit.explains_well or fit.turned_well)):
        scanned = _scanned(scan)
        least_px = LEAST_KEPT * _overlap_px(origin, found.object.shape, scanned)
        others = [
            each
            for each in places_px(found.object, shape, scan.object_guess)
            if _overlap_px(each, found.object.shape, scanned) >= least_px
        ]
        other = min(others, key=left_at_best, default=origin)
        own = None if scan.object_guess is None else frame_fit(scan, scan.object_guess)
        there = fitted(other)
        if there is not None and _is_right(there, own):
            origin, fit = other, there
    image, coverage = placed(found.object, shape, origin)
    side = (scan.patch_px, scan.patch_px)
    probe_px = None if found.probe is None or found.probe.shape == side else found.probe.shape
    reference = None
    if fit is not None and not fit.explains_well and fit.better and scan.object_guess is not None:
        reference = frame_fit(scan, scan.object_guess)
    if fit is not None and is_resized:
        fit = _without_chance(fit, reference)
    if fit is None or fit.explains:
        reference = None
    return Placement(image, coverage, found.object.shape, fit, probe_px, reference)


def _is_right(there: FrameFit, own: FrameFit | None) -> bool:
    """Whether it is hardly by chance that an image explains the frames at a place that was tried.

    Of noisy frames much is left by what is of them: about as much as by the scan's own object.
    """
    if there.explains_well or there.turned_well:
        return True
    if own is None or not own.explains or own.better or not there.explains or there.better:
        return False
    return CLEARLY * there.as_given < own.as_given


def _without_chance(fit: FrameFit, reference: FrameFit | None) -> FrameFit:
    """Leave out turns that explain some frames by chance, where the place is not known for sure.

    What is believed leaves as little as what is of these frames, or hardly more than the scan's
    own object.
    """
    limit = EXPLAINING_WELL * fit.shuffled
    if reference is not None and reference.explains and reference.better is None:
        limit = max(limit, reference.as_given / CLEARLY)
    return replace(fit, turned={name: left for name, left in fit.turned.items() if left < limit})


def places_px(
    image: Complex2D, shape: tuple[int, int], reference: Complex2D | None
) -> tuple[Origin, ...]:
    """List where the pixel (0, 0) of an image (h, w) may lie: corners, and where it is alike.

    Parameters
    ----------
    image : ndarray of complex, shape (h, w)
        A part of the object.
    shape : (int, int)
        Of the grid (H, W).
    reference : ndarray of complex, shape (H, W), optional
        Which the image is correlated with.

    Returns
    -------
    tuple of (int, int)
        (row, column) on the grid, each once.
    """
    spare = [side - length for side, length in zip(shape, image.shape, strict=True)]
    corners = product(*((0, each) for each in spare))
    alike = () if reference is None else _alike(image, reference)
    return tuple(dict.fromkeys((*corners, *alike)))


def _alike(image: Complex2D, reference: Complex2D) -> tuple[Origin, ...]:
    """Peaks of correlations, on a canvas on which neither is tapered."""
    sides = [
        int(max(pair) / (1 - 2 * EDGE)) + 1
        for pair in zip(image.shape, reference.shape, strict=True)
    ]
    canvas = sides[0], sides[1]
    first, second = (_middle(each.shape, canvas) for each in (image, reference))
    laid, coverage = placed(image, canvas, first)
    wanted, known = placed(reference, canvas, second)
    if known.min() == 0:
        wanted = np.where(known > 0, wanted, wanted[known > 0].mean())
    found = candidates(laid, wanted, coverage > 0, FARTHEST)
    return tuple(
        (
            first[0] - second[0] + round(shift.dy_px),
            first[1] - second[1] + round(shift.dx_px),
        )
        for shift in found
    )


def _middle(shape: tuple[int, ...], canvas: tuple[int, int]) -> Origin:
    return (canvas[0] - shape[0]) // 2, (canvas[1] - shape[1]) // 2


def _overlap_px(origin: Origin, size_px: tuple[int, ...], scanned: Region) -> int:
    both = Region(*origin, size_px[0], size_px[1]).overlap(scanned)
    return both.height * both.width


def _scanned(scan: Scan) -> Region:
    (top, left), (bottom, right) = np.rint(extremes(scan.positions_px)).astype(int).tolist()
    return Region(top, left, bottom - top + 1, right - left + 1)


def _seen_from(origin: Origin, scan: Scan) -> Scan:
    return scan.changed(positions_px=scan.positions_px - np.array(origin))

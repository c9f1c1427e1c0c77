"""Where on a scan's grid does a finished reconstruction lie, and does it belong to the scan?

The same is asked of the scan's own object.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import GeometryError
from ptyrun.host import memory
from ptyrun.ptycho.consistency.frame_fit import (
    CLEARLY,
    OF_FRAMES,
    SWAPPED,
    FrameFit,
    frame_fit,
)
from ptyrun.ptycho.consistency.frame_model import FRAMES_AT_ONCE, are_inside
from ptyrun.ptycho.consistency.frame_order import frame_order
from ptyrun.ptycho.consistency.offset import better_offset
from ptyrun.ptycho.consistency.place_search import Placement
from ptyrun.ptycho.consistency.spacing import spacing_doubt
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.alignment import align
from ptyrun.ptycho.metrics.factors import coherence
from ptyrun.ptycho.readers.opening import Scan
from ptyrun.shares import as_percent

# Of the compared region, what a reconstruction of the same scan reaches at least.
LEAST_COVERED = 0.5
# Reconstructions of one object, even poor ones, agree better than this; of two objects, worse.
ONE_OBJECT = 0.3
# Side of what a coherence is told from, and what is moved with it.
TOLD_PX, AROUND_PX = 512, 64
# Splits of one scan share a strip of the object, and a coherence of about 0.3 with it; what does
# not explain the frames either must agree better than this.
MIN_COHERENCE_IF_UNEXPLAINED = 0.6
# Where the truth is not against it, another orientation must leave less of the residual than this.
MAX_RESIDUAL_RATIO = 0.5
# Of the frames, what lies inside the scan's own object at least.
FAR = 3  # of the width that nine tenths of the positions and a patch take
LEAST_INSIDE = 0.5
# Frames that are nearly alike leave little, whatever the positions: nothing is doubted below this.
RESIDUAL_ALWAYS_ACCEPTED = 0.25


def coherence_with_reference(
    placement: Placement, truth: NDArray[np.complexfloating[Any, Any]] | None, region: Region
) -> float | None:
    """Coherence with the truth after registration; None without one, or with too little of it.

    Of a large region the middle tells enough, where it is covered. Where both have enough in common
    as they lie, they are not registered: the coherence is then at least what is given.
    """
    if truth is None:
        return None
    covered = placement.coverage > 0
    middle = region.centre(min(region.height, TOLD_PX), min(region.width, TOLD_PX))
    looked = middle if covered[middle.slices].mean() > 0.5 else region
    outer = looked.grown(AROUND_PX, *truth.shape)
    cut = outer.slices
    found = None
    for is_moved in (False, True):
        try:
            aligned = align(
                placement.image[cut],
                truth[cut],
                covered[cut],
                region=looked.seen_from(outer),
                shift=is_moved,
            )
        except GeometryError:
            return found
        known = aligned.covered
        found = coherence(aligned.recon[known], aligned.truth[known])
        if found >= MIN_COHERENCE_IF_UNEXPLAINED:
            break
    return found


def truth_doubts(scan: Scan) -> tuple[str, ...]:
    """Say why the scan's own object, frames and positions hardly belong together."""
    far = _far_away(scan)
    memory.give_back()  # of many positions, each of these takes half as much again
    spaced = spacing_doubt(scan)
    memory.give_back()
    doubts: tuple[str, ...] = ()
    if scan.object_guess is not None and not scan.near_field:
        outside = _outside(scan, scan.object_guess.shape)
        fit = frame_fit(scan, scan.object_guess)
        unfit = _why_unfit(scan, scan.object_guess, fit) if fit else ()
        doubts = tuple(filter(None, (*unfit, spaced or outside)))
    return doubts or tuple(filter(None, (spaced or far,)))


def _why_unfit(scan: Scan, image: NDArray[np.complex64], fit: FrameFit) -> tuple[str | None, ...]:
    if otherwise := _stored_otherwise(fit, scan.object_name):
        return otherwise, _unfit(scan, fit)
    offset = better_offset(scan, image, fit)
    if offset is None or offset.residual > min(fit.turned.values(), default=np.inf):
        return (_unfit(scan, fit),)
    dy, dx = offset.moved_px
    corners = dy == dx == scan.patch_px // 2
    return (
        f"{scan.object_name} explains the frames better with all positions moved by ({dx}, {dy}) "
        f"px in x and y: residual {offset.residual:.2f} instead of {fit.as_given:.2f}"
        + ("; are they the corners of patches, and not their centres?" if corners else ""),
    )


def _outside(scan: Scan, shape: tuple[int, ...]) -> str | None:
    n_inside = np.count_nonzero(are_inside(scan, shape))
    if n_inside >= LEAST_INSIDE * scan.n_frames:
        return None
    from_middle = scan.changed(positions_px=scan.positions_px + np.array(shape) / 2)
    n_from_middle = np.count_nonzero(are_inside(from_middle, shape))
    name = scan.object_name.removeprefix("its ")
    said = (
        f"only {n_inside} of {scan.n_frames} frames lie wholly inside {name} ({shape[0]} x "
        f"{shape[1]} px); are positions in its pixels, counted from its corner?"
    )
    if n_from_middle < LEAST_INSIDE * scan.n_frames:
        return said
    return f"{said} Counted from its middle, {n_from_middle} do: --position-origin centre"


def _far_away(scan: Scan) -> str | None:
    """Name the first of few positions that are nowhere near the others: a slip of the stage."""
    lost = np.zeros(scan.n_frames, np.bool_)
    for along in scan.positions_px.T:
        low, middle, high = np.percentile(along, (5, 50, 95))
        farthest = FAR * (high - low + scan.patch_px)
        for first in range(0, scan.n_frames, FRAMES_AT_ONCE):
            part = slice(first, first + FRAMES_AT_ONCE)
            lost[part] |= np.abs(along[part] - middle) > farthest
    if not lost.any():
        return None
    first = int(np.argmax(lost))
    y_px, x_px = scan.positions_px[first]
    return (
        f"{lost.sum()} of {scan.n_frames} positions lie far from all others, frame {first} at "
        f"({x_px:g}, {y_px:g}) first: what is assembled and evaluated reaches out to them"
    )


def _stored_otherwise(fit: FrameFit, name: str) -> str | None:
    """Say so where frames are of the other kind than they were taken as."""
    if fit.square is not None and fit.looks_like_amplitude:
        return (
            "the diffraction looks like amplitude: use --diffraction-kind amplitude; taken as "
            f"intensity, {name} explains it with a residual of {fit.as_given:.2f}, its "
            f"square with {fit.square:.2f}"
        )
    if fit.root is None or not fit.looks_like_intensity:
        return None
    return (
        "the diffraction looks like intensity: use --diffraction-kind intensity; taken as "
        f"amplitude, {name} explains it with a residual of {fit.as_given:.2f}, its root "
        f"with {fit.root:.2f}"
    )


def _unfit(scan: Scan, fit: FrameFit) -> str | None:
    if fit.better is not None:
        at_fault = "patches placed at these positions and figures against this object"
        if fit.better in OF_FRAMES:
            at_fault = "patches predicted from these frames"
        elif fit.better != SWAPPED and scan.object_path is not None:
            at_fault = "figures against it"
        return (
            f"{scan.object_name} explains the frames better with {fit.better}: residual "
            f"{fit.turned[fit.better]:.2f} instead of {fit.as_given:.2f}; {at_fault} mean little"
        )
    order = frame_order(scan)
    if order is not None and order.is_shuffled:
        return (
            "the frames do not belong to their positions: their correlation with what "
            f"{scan.object_name.removeprefix('its ')} predicts there is {order.own:.2f}, where "
            f"{order.own_expected:.2f} is expected, and "
            f"that with frames at the nearest position {order.neighbour:.2f}, where "
            f"{order.neighbour_expected:.2f} is; were frames or positions sorted on their own?"
        )
    if fit.looks_like_intensity or fit.looks_like_amplitude:
        return None
    if fit.as_given < RESIDUAL_ALWAYS_ACCEPTED:
        return None
    if order is None:
        return None
    if not order.contradicts_object and (fit.explains or not order.has_unexplained_similarity):
        return None
    return (
        f"with the scan's probe, {scan.object_name} does not explain the frames: residual "
        f"{_residuals(fit)}; figures against it mean little"
    )


def why_inconsistent(
    placement: Placement, region: Region, coherence: float | None, against: str = "reference"
) -> str | None:
    """Say why a reconstruction does not belong to the scan; None when it may.

    Parameters
    ----------
    placement : Placement
    region : Region
        What is compared.
    coherence : float or None
        With the scan's object, registered; None where there is none.
    against : str
        What that is called: ground truth or reference.
    """
    share = float((placement.coverage[region.slices] > 0).mean())
    covers = f"it covers {as_percent(share, 0)} of the compared region"
    reasons = [
        covers if share < LEAST_COVERED else None,
        _disagrees(coherence, placement, against),
        _resized_probe(placement.probe_px) if coherence is None else None,
    ]
    if not any(reasons):
        return None
    if placement.is_resized:
        (height, width), (rows, columns) = placement.size_px, placement.image.shape
        reasons.append(f"it has {height} x {width} px, the object {rows} x {columns}")
    better = None if placement.fit is None else placement.fit.better
    return "; ".join(
        (
            *filter(None, reasons),
            _question(better if share >= LEAST_COVERED else None, placement.is_unplaced),
        )
    )


def _question(better: str | None, is_unplaced: bool) -> str:
    """What to look at first, by the change with which the frames are explained better."""
    if better is None and is_unplaced:
        return (
            "was it made from another split or scan, or is it a part that begins elsewhere on the "
            "object's grid?"
        )
    if better is None or better in OF_FRAMES:
        return "was it made from another split or scan?"
    if better == SWAPPED:
        return "are x and y of the scan's positions swapped?"
    return "is it stored turned or conjugated?"


def _disagrees(coherence: float | None, placement: Placement, against: str) -> str | None:
    fit, reference = placement.fit, placement.reference
    if coherence is None:
        return _fails(fit)
    if coherence < ONE_OBJECT and fit is not None and fit.explains_well:
        return None  # frames are measured; what it is held against may be at fault
    unexplained = fit is not None and not fit.explains
    if coherence >= (MIN_COHERENCE_IF_UNEXPLAINED if unexplained else ONE_OBJECT):
        # A conjugated object still has the amplitudes of the right one. Frames that are turned
        # are turned for the truth as well, and so is what turns it alike: the scan is at fault.
        better = None if fit is None or fit.better in OF_FRAMES else fit.better
        if reference is not None and reference.better == better:
            better = None
        turned = False
        if fit is not None and better:
            # As it is it leaves as much as an unlike object, and the scan's own clearly less.
            contradicted = (
                reference is not None
                and reference.explains
                and reference.as_given < CLEARLY * fit.as_given
            )
            turned = contradicted or fit.turned[better] < MAX_RESIDUAL_RATIO * fit.as_given
        return _fails(fit) if turned else None
    least = (
        f"images of one object have at least {ONE_OBJECT}"
        if coherence < ONE_OBJECT
        else f"{MIN_COHERENCE_IF_UNEXPLAINED} is needed, as it does not explain the frames"
    )
    said = (
        f"it has little in common with the {against}: coherence {coherence:.2f} "
        f"after a search for its shift, where {least}"
    )
    if fit is not None and fit.explains and fit.better is None:
        return f"{said}; in the measured frames it leaves a residual of {_residuals(fit)}"
    return "; ".join(filter(None, (said, _fails(fit))))


def _resized_probe(probe_px: tuple[int, ...] | None) -> str | None:
    if probe_px is None:
        return None
    return f"its probe of {probe_px[0]} x {probe_px[1]} px is not of the size of the scan's frames"


def _fails(fit: FrameFit | None) -> str | None:
    """What the frames have against it."""
    if fit is None:
        return None
    if fit.better is not None:
        return f"it explains the frames better with {fit.better}"
    if fit.explains:
        return None
    return f"it does not explain the measured frames: residual {_residuals(fit)}"


def _residuals(fit: FrameFit) -> str:
    return f"{fit.as_given:.2f}, and {fit.shuffled:.2f} with positions shuffled"

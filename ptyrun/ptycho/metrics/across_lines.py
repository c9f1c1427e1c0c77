"""Which shifts does an image tell apart? Of parallel lines, only those across them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.ptycho.metrics.shift_search import AGREEMENT_AFAR, Candidate, distinct, length_px

# Of the slopes along the steepest direction, in power, what noise may leave along lines.
LEVEL = 0.1
# Of each side: where an image does not meet itself, its derivatives have edges.
RIM = 0.1
# Of the agreement of the best, what half a pixel leaves of a fine grating.
PERIODIC = 0.6

Slope = NDArray[np.complexfloating[Any, Any]]


def across_lines(shift: Shift, slope_y: Slope, slope_x: Slope) -> Shift:
    r"""Take off a shift what leads along the lines of an image that has hardly anything else.

    Parameters
    ----------
    shift : Shift
        In pixels.
    slope_y, slope_x : ndarray of complex, shape (h, w)
        The image's derivatives per pixel.

    Returns
    -------
    Shift
        The same where the image varies along two directions.

    Notes
    -----
    Directions are the eigenvectors of the sums of products of slopes,
    :math:`\sum \mathrm{Re}\, \partial_i O^* \partial_j O`: Foerstner and Guelch, Proc. ISPRS
    Intercommission Conf. Fast Processing of Photogrammetric Data, 281 (1987).
    """
    inside = tuple(slice(int(RIM * side), side - int(RIM * side)) for side in slope_y.shape)
    slopes = (slope_y[inside].ravel(), slope_x[inside].ravel())
    products = [[float(np.vdot(a, b).real) for b in slopes] for a in slopes]
    powers, directions = np.linalg.eigh(np.array(products))
    if powers[0] > LEVEL * powers[1]:
        return shift
    across = directions[:, 1]
    length = float(across @ (shift.dy_px, shift.dx_px))
    return Shift(length * float(across[0]), length * float(across[1]))


def other_periods(
    rough: list[Candidate], slope_y: Slope, slope_x: Slope, apart_px: float
) -> list[Candidate]:
    """Find shifts that may be as good as the best one once fractions of a pixel are known.

    Parameters
    ----------
    rough : list of Candidate
        Whole shifts, best first.
    slope_y, slope_x : ndarray of complex, shape (h, w)
        The image's derivatives per pixel.
    apart_px : float
        How far from the best one, across lines, another begins.

    Returns
    -------
    list of Candidate
        Whole shifts, nearest first.
    """
    best = rough[0]
    if best.agreement < AGREEMENT_AFAR:
        return []
    there = across_lines(best.shift, slope_y, slope_x).opposite
    across = [
        replace(each, shift=across_lines(each.shift, slope_y, slope_x))
        for each in rough
        if each.agreement >= PERIODIC * best.agreement
    ]
    apart = [
        replace(each, shift=each.shift.whole)
        for each in across
        if length_px(each.shift + there) > apart_px
    ]
    return sorted(distinct(apart), key=lambda found: length_px(found.shift))

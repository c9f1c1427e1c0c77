"""Which shifts does an image tell apart? Of parallel lines, only those across them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.ptycho.metrics.shift_search import (
    AGREEMENT_AFAR,
    Candidate,
    distinct,
    length_px,
    snapped,
)

# Of the slopes along the steepest direction, in power, what noise may leave along lines.
LEVEL = 0.1
# Of each side: where an image does not meet itself, its derivatives have edges.
RIM = 0.1
# Of the agreement of the best, what half a pixel leaves of a fine grating.
PERIODIC = 0.6

Slope = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True)
class Lines:
    """The direction across an image's lines, (y, x) of length 1; none if it varies along two."""

    across: tuple[float, float] | None

    @classmethod
    def of(cls, slope_y: Slope, slope_x: Slope) -> Self:
        r"""Find the direction along which an image varies, if it hardly does along the other.

        Parameters
        ----------
        slope_y, slope_x : ndarray of complex, shape (h, w)
            The image's derivatives per pixel.

        Notes
        -----
        Directions are the eigenvectors of the sums of products of slopes,
        :math:`\sum \mathrm{Re}\, \partial_i O^* \partial_j O`: Foerstner and Guelch, Proc. ISPRS
        Intercommission Conf. Fast Processing of Photogrammetric Data, 281 (1987).
        """
        inside = tuple(slice(int(RIM * side), side - int(RIM * side)) for side in slope_y.shape)
        slopes = (slope_y[inside], slope_x[inside])
        products = [
            [float((a.real * b.real + a.imag * b.imag).sum(dtype=np.float64)) for b in slopes]
            for a in slopes
        ]
        powers, directions = np.linalg.eigh(np.array(products))
        if powers[0] > LEVEL * powers[1]:
            return cls(None)
        y, x = directions[:, 1].tolist()
        return cls((y, x))

    def part(self, shift: Shift) -> Shift:
        """Take off a shift what leads along the lines; the whole shift where there are none.

        Parameters
        ----------
        shift : Shift
            In pixels.

        Returns
        -------
        Shift
            In pixels.
        """
        if self.across is None:
            return shift
        y, x = self.across
        length = y * shift.dy_px + x * shift.dx_px
        return snapped(Shift(length * y, length * x))

    def other_periods(self, rough: list[Candidate], apart_px: float) -> list[Candidate]:
        """Find shifts that may be as good as the best one once fractions of a pixel are known.

        Parameters
        ----------
        rough : list of Candidate
            Whole shifts, best first.
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
        there = self.part(best.shift).opposite
        across = [
            replace(each, shift=self.part(each.shift))
            for each in rough
            if each.agreement >= PERIODIC * best.agreement
        ]
        apart = [
            replace(each, shift=each.shift.whole)
            for each in across
            if length_px(each.shift + there) > apart_px
        ]
        return sorted(distinct(apart), key=lambda found: length_px(found.shift))

"""Which shifts does an image tell apart? Of parallel lines, only those across them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics.aligned import Aligned
from ptyrun.ptycho.metrics.factors import ROUNDING
from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.ptycho.metrics.shift_search import (
    AGREEMENT_AFAR,
    ONE_BASIN_PX,
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
# Of what is left, what noise changes when an image of lines moves along them.
ALONG_LINES = 0.1
# Of agreement, what may be lost by a move by fractions of a pixel instead of others.
BY_MOVING = (2.5e-5, 1e-4)

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

    def beside(self, shift: Shift) -> Shift:
        """Give a shift that leads half a pixel farther along lines: to an image of lines the same.

        Parameters
        ----------
        shift : Shift
            In pixels.

        Returns
        -------
        Shift
            In pixels; the same where there are no lines.
        """
        y, x = self.across or (0.0, 0.0)
        return shift + Shift(-x / 2, y / 2)

    def tenths_px(self, shift: Shift) -> int:
        """Measure how far a shift leads across lines, or at all where there are none.

        Parameters
        ----------
        shift : Shift
            In pixels.

        Returns
        -------
        int
            In tenths of a pixel.
        """
        return round(10 * length_px(self.part(shift)))

    def nearer(self, found: list[Candidate], than: Shift) -> list[Candidate]:
        """Find shifts that lead less far than another, and elsewhere.

        Parameters
        ----------
        found : list of Candidate
            Among which there may be some.
        than : Shift
            The other, in pixels.

        Returns
        -------
        list of Candidate
            Nearest first.
        """
        nearer = [each for each in found if self.is_nearer(each.shift, than)]
        return sorted(nearer, key=lambda each: self.tenths_px(each.shift))

    def is_nearer(self, shift: Shift, than: Shift) -> bool:
        """Whether a shift leads less far than another, and elsewhere.

        Parameters
        ----------
        shift, than : Shift
            In pixels.

        Returns
        -------
        bool
            False of the same.
        """
        apart_px = length_px(self.part(shift) + self.part(than).opposite)
        return self.tenths_px(shift) < self.tenths_px(than) and apart_px > ONE_BASIN_PX


def least_across(found: Aligned, beside: Aligned, across: Shift) -> float:
    """Tell how well fields must agree after a shift across lines for it to be as good as another.

    Parameters
    ----------
    found : Aligned
        After the other.
    beside : Aligned
        After :meth:`Lines.beside` of it: what is lost there is lost by moving, and not by detail
        along lines, if the shift across them loses hardly more.
    across : Shift
        That leads across them; one that is hardly shorter must lose nothing.

    Returns
    -------
    float
        In [-1, 1].
    """
    is_far = length_px(across + found.shift.opposite) > ONE_BASIN_PX
    lost = float(np.clip(2 * (found.agreement - beside.agreement), *BY_MOVING))
    if not is_far or found.shift == found.shift.whole:
        lost = 0.0
    return found.agreement - ALONG_LINES * (1 - found.agreement) - lost - ROUNDING

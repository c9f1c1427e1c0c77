"""Which small shift and ramp bring one field nearer to another? A step of least squares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics.factors import known_pixels
from ptyrun.ptycho.metrics.products import gram

STEP_PX = 1.0
LEAP_PX = 0.25  # no longer step is made of what two steps tell
FLOOR = 1e-9  # of the best determined direction; along stripes, nothing tells the shift
ROWS = 16  # summed at once: what is stacked meanwhile stays in a processor's cache

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Step:
    """What is left between two fields.

    Attributes
    ----------
    dy_px, dx_px : float
        Shift in pixels.
    ramp_y, ramp_x : float
        Ramp in radians per pixel.
    """

    dy_px: float
    dx_px: float
    ramp_y: float
    ramp_x: float

    @property
    def longest_px(self) -> float:
        """The larger of both shifts."""
        return max(abs(self.dy_px), abs(self.dx_px))

    def hastened(self, found: Self, made: Self) -> Self:
        """Tell how far to go, as the step before that one showed how much a step is short.

        Parameters
        ----------
        found, made : Step
            What was found before, and the step that was made then.

        Returns
        -------
        Step
            This one where it is no shorter than what was found before, else a longer one.

        Notes
        -----
        The less two images have in common, the less a step of least squares leads to the end: some
        percent of the way. The secant method for vectors: Anderson, J. ACM 12, 547 (1965),
        doi:10.1145/321296.321305, of depth 1.
        """
        here, before, way = (
            np.array([each.dy_px, each.dx_px, each.ramp_y, each.ramp_x])
            for each in (self, found, made)
        )
        less = here - before
        square = float(less[:2] @ less[:2])
        if not square or np.hypot(*here[:2]) >= np.hypot(*before[:2]):
            return self
        move = here - float(here[:2] @ less[:2]) / square * (way + less)
        longest = float(np.abs(move[:2]).max())
        return type(self)(*(move * min(1.0, LEAP_PX / longest if longest else 1.0)).tolist())


@dataclass(frozen=True)
class Nearing:
    r"""Finds the small shift and ramp that bring an image nearer to another, by least squares.

    Attributes
    ----------
    truth, slope_y, slope_x : ndarray of complex64, shape (h, w)
        O and its derivatives per pixel.
    known : ndarray of bool, shape (h, w)
        Which pixels count.
    has_ramp : bool
        Whether a ramp is looked for as well.
    with_truth : ndarray of complex128, shape (6,)
        Sums O* v over what :func:`_products` has.
    inverse : ndarray of float64, shape (n, n)
        What takes the right sides of the normal equations to shift, ramp, c and d.

    Notes
    -----
    A Gauss-Newton step of :math:`\sum |cR - O - \delta\cdot\nabla O - i(\rho\cdot x)O - d|^2` over
    known pixels, with complex c and d: shift and ramp are found together, for either looks like
    the other where an object is small. Lucas and Kanade, IJCAI 674 (1981); with the derivatives of
    the template, Baker and Matthews, Int. J. Comput. Vis. 56, 221 (2004),
    doi:10.1023/B:VISI.0000011205.11775.fd.
    """

    truth: NDArray[np.complex64]
    slope_y: NDArray[np.complex64]
    slope_x: NDArray[np.complex64]
    known: Mask
    has_ramp: bool
    with_truth: NDArray[np.complex128]
    inverse: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        truth: NDArray[np.complex64],
        slope_y: NDArray[np.complex64],
        slope_x: NDArray[np.complex64],
        known: Mask,
        *,
        has_ramp: bool,
    ) -> Self:
        """Take the image that stays and its derivatives.

        Parameters
        ----------
        truth, slope_y, slope_x : ndarray of complex64, shape (h, w)
            O and its derivatives per pixel.
        known : ndarray of bool, shape (h, w)
            Which pixels count.
        has_ramp : bool
            Whether a ramp is looked for as well.
        """
        masked = (np.where(known, each, 0) for each in (truth, slope_y, slope_x))
        wanted, along_y, along_x = masked
        products = _products(wanted, along_y, along_x, known)
        inverse = _inverse(products, _unknowns(has_ramp=has_ramp))
        return cls(wanted, along_y, along_x, known, has_ramp, products[4], inverse)

    def step(self, recon: NDArray[np.complex64]) -> Step:
        """Find what is left between an image and the truth.

        Parameters
        ----------
        recon : ndarray of complex64, shape (h, w)
            R.

        Returns
        -------
        Step
            Shift in pixels, ramp in radians per pixel.
        """
        own = recon.conj()
        counted = known_pixels(own, self.known)
        power = float((counted.real**2 + counted.imag**2).sum(dtype=np.float64))
        of_recon = self._with(own, complex(counted.sum(dtype=np.complex128)))
        factor = of_recon[4] / power if power > 0 else 1.0 + 0j
        error_with = np.conj(factor) * of_recon - self.with_truth
        unknowns = _unknowns(has_ramp=self.has_ramp)
        found = self.inverse @ [(a * error_with[i]).real for i, a in unknowns]
        ramp = found[2:4] if self.has_ramp else np.zeros(2)
        return Step(
            float(np.clip(found[0], -STEP_PX, STEP_PX)),
            float(np.clip(found[1], -STEP_PX, STEP_PX)),
            float(ramp[0]),
            float(ramp[1]),
        )

    def _with(self, own: NDArray[np.complex64], total: complex) -> NDArray[np.complex128]:
        """Sum R* v (6,) over what :func:`_products` has; *total* is that of known R*."""
        with_truth = own * self.truth
        y, x = (np.arange(side) - side / 2 for side in self.known.shape)
        rows = with_truth.sum(axis=1, dtype=np.complex128)
        columns = with_truth.sum(axis=0, dtype=np.complex128)
        return np.array(
            [
                (own * self.slope_y).sum(dtype=np.complex128),
                (own * self.slope_x).sum(dtype=np.complex128),
                1j * (y * rows).sum(),
                1j * (x * columns).sum(),
                rows.sum(),
                total,
            ]
        )


def _unknowns(*, has_ramp: bool) -> list[tuple[int, complex]]:
    """What each real unknown multiplies: which of :func:`_products`, by which factor."""
    real = [0, 1, 2, 3] if has_ramp else [0, 1]
    return [(each, 1.0) for each in real] + [(4, 1.0), (4, 1j), (5, 1.0), (5, 1j)]


def _inverse(
    products: NDArray[np.complex128], unknowns: list[tuple[int, complex]]
) -> NDArray[np.float64]:
    """Invert the normal equations (n, n) where they tell anything; elsewhere it is zero."""
    normal = np.array(
        [[(np.conj(a) * b * products[i, j]).real for j, b in unknowns] for i, a in unknowns]
    )
    scale = np.sqrt(np.diag(normal))
    known = scale > math.sqrt(FLOOR) * max(float(scale[:2].max()), 1e-30)
    inverse = np.zeros_like(normal)
    if known.any():
        units = np.outer(scale[known], scale[known])
        inverse[np.ix_(known, known)] = np.linalg.pinv(normal[np.ix_(known, known)] / units, FLOOR)
        inverse[np.ix_(known, known)] /= units
    return inverse


def _products(
    truth: NDArray[np.complex64],
    slope_y: NDArray[np.complex64],
    slope_x: NDArray[np.complex64],
    known: Mask,
) -> NDArray[np.complex128]:
    """Sum u* v (6, 6) in double precision, some rows at a time.

    Of both slopes, i y O and i x O, O, and one; images are zero where they are not known.
    """
    height, width = known.shape
    y, x = np.arange(height) - height / 2, np.repeat(np.arange(width) - width / 2, 2)
    room = np.empty((6, min(ROWS, height), width), np.complex128)
    total = np.zeros((6, 6), np.complex128)
    for first in range(0, height, ROWS):
        rows = slice(first, min(first + ROWS, height))
        basis = room[:, : rows.stop - first]
        basis[0], basis[1], basis[4], basis[5] = (
            each[rows] for each in (slope_y, slope_x, truth, known)
        )
        parts = basis.view(np.float64)  # real and imaginary in turns
        np.multiply(parts[4], y[rows, None], out=parts[2])
        np.multiply(parts[4], x, out=parts[3])
        total += gram(basis.reshape(6, -1))
    turns = np.array([1, 1, 1j, 1j, 1, 1])
    return np.asarray(total * np.outer(turns.conj(), turns))

"""Which one factor brings an image to another, and how well do they agree, whatever it is?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics.products import gram, inner

ROUNDING = 1e-6  # of single precision, and some
PIECE_PX = 1 << 18  # summed at once: what is centred meanwhile stays small

Complex = NDArray[np.complexfloating[Any, Any]]
Real = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Moments:
    """Sums over pixels of a reconstruction R and a truth O, each less its first guess of a mean.

    Attributes
    ----------
    count : int
        How many pixels.
    recon, truth, cross : complex
        Sums of R, of O and of R* O.
    power, wanted : float
        Sums of their squared moduli.
    centres : tuple of complex
        What was taken off both.
    """

    count: int
    recon: complex
    truth: complex
    cross: complex
    power: float
    wanted: float
    centres: tuple[complex, complex]

    @classmethod
    def of(cls, recon: Complex, truth: Complex) -> Self:
        """Sum piece by piece, around the means, where sums of squares lose no digits.

        Parameters
        ----------
        recon, truth : ndarray of complex, shape (k,) or (H, W)
            R and O.
        """
        first, second = recon.reshape(-1), truth.reshape(-1)
        if not first.size:
            return cls(0, 0j, 0j, 0j, 0.0, 0.0, (0j, 0j))
        a, b = (complex(each.mean(dtype=np.complex128)) for each in (first, second))
        sums = np.zeros(5, np.complex128)
        for start in range(0, first.size, PIECE_PX):
            piece = slice(start, start + PIECE_PX)
            r, o = first[piece].astype(np.complex128) - a, second[piece].astype(np.complex128) - b
            sums += (r.sum(), o.sum(), inner(r, o), inner(r, r), inner(o, o))
        r_sum, o_sum, cross, power, wanted = (complex(each) for each in sums)
        return cls(first.size, r_sum, o_sum, cross, power.real, wanted.real, (a, b))

    @property
    def factor(self) -> complex:
        """The c that brings c R nearest to O, means included."""
        a, b = self.centres
        n = self.count
        power = self.power + 2 * (a.conjugate() * self.recon).real + n * abs(a) ** 2
        cross = (
            self.cross
            + a.conjugate() * self.truth
            + self.recon.conjugate() * b
            + n * a.conjugate() * b
        )
        return cross / power if power > 0 else 1.0 + 0.0j

    @property
    def coherence(self) -> float:
        """Correlation without means, blind to one global factor: 1 for one object, 0 for two."""
        return abs(self.covariance) / self.spread if self.spread > 0 else 0.0

    @property
    def covariance(self) -> complex:
        """Sum of u* v, the fields less their means."""
        return self.cross - self.recon.conjugate() * self.truth / max(self.count, 1)

    @property
    def spread(self) -> float:
        """Root of sum |u|^2 sum |v|^2."""
        own = self.power - abs(self.recon) ** 2 / max(self.count, 1)
        wanted = self.wanted - abs(self.truth) ** 2 / max(self.count, 1)
        return float(np.sqrt(max(own, 0.0)) * np.sqrt(max(wanted, 0.0)))


def known_pixels(image: Complex, known: Mask) -> Complex:
    """Take the pixels that are known; no copy where all are.

    Parameters
    ----------
    image : ndarray of complex, shape (H, W)
        The field.
    known : ndarray of bool, shape (H, W)
        Which pixels are taken.

    Returns
    -------
    ndarray of complex, shape (H, W) or (k,)
        In the image's dtype.
    """
    return image if known.all() else image[known]


def signed_agreement(recon: Complex, truth: Complex) -> float:
    """Correlate two fields without their means, after the factor that fits the whole fields.

    With its sign: half a period off, a grating has its contrast inverted.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (k,) or (H, W)
        The fields.

    Returns
    -------
    float
        In [-1, 1].
    """
    sums = Moments.of(recon, truth)
    factor = sums.factor
    if not sums.spread or not abs(factor):
        return 0.0
    return float((factor.conjugate() * sums.covariance).real / (abs(factor) * sums.spread))


@dataclass(frozen=True)
class Likeness:
    """What two fields have in common besides what a constant with a ramp has.

    Attributes
    ----------
    agreement : float
        As :func:`signed_agreement`, in [-1, 1].
    contrast : float
        Of the first over that of the second, once the factor brings their means together.
    """

    agreement: float
    contrast: float


def likeness(recon: Complex, truth: Complex, flat: Complex) -> Likeness:
    """Compare two fields without a constant and without what a *flat* one looks like.

    A constant off which a ramp was taken agrees with whatever runs as the ramp does.

    Parameters
    ----------
    recon, truth, flat : ndarray of complex, shape (k,)
        The fields, and a constant that went the way of the first.

    Returns
    -------
    Likeness
        Of what is left of both.
    """
    products = np.zeros((4, 4), np.complex128)
    for start in range(0, recon.size, PIECE_PX):
        piece = slice(start, start + PIECE_PX)
        constant = np.ones(len(flat[piece]))
        rows = np.array([constant, flat[piece], recon[piece], truth[piece]], np.complex128)
        products += gram(rows)
    # What least squares on the constant and the flat image leave, from sums alone.
    fits = np.linalg.lstsq(products[:2, :2], products[:2, 2:], rcond=ROUNDING)[0]
    left = products[2:, 2:] - products[2:, :2] @ fits
    powers = np.maximum(left.diagonal().real, 0.0)
    whole = float(products[2, 2].real)
    factor = complex(products[2, 3]) / whole if whole else 0j
    if powers[0] <= ROUNDING**2 * whole or not powers[1] or not abs(factor):
        return Likeness(0.0, 0.0)
    contrast = abs(factor) * float(np.sqrt(powers[0] / powers[1]))
    covariance = float((factor.conjugate() * left[0, 1]).real)
    return Likeness(covariance / (contrast * float(powers[1])), contrast)


def coherence(recon: Complex, truth: Complex) -> float:
    """Correlate two fields without their means; blind to one global complex factor.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (k,) or (H, W)
        The fields.

    Returns
    -------
    float
        In [0, 1]: 1 for one object, 0 for two.
    """
    return Moments.of(recon, truth).coherence


def global_factor(recon: Complex, truth: Complex) -> complex:
    r"""Find the complex factor c that brings c R nearest to O: sum(R* O) / sum |R|^2.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (k,) or (H, W)
        R and O.

    Returns
    -------
    complex
        c.
    """
    return Moments.of(recon, truth).factor


def amplitude_factor(recon: Real, truth: Real, covered: Mask | None = None) -> Any:
    """Find what brings the mean of amplitudes to the truth's, over what is covered.

    The complex factor of :func:`global_factor` is smaller the worse phases are.

    Parameters
    ----------
    recon, truth : ndarray of float, shape (H, W)
        Amplitudes.
    covered : ndarray of bool, shape (H, W), optional
        Which pixels count (default: all).

    Returns
    -------
    float
        In the images' own dtype.
    """
    own, wanted = ((each if covered is None else each[covered]).mean() for each in (recon, truth))
    return wanted / own if own > 0 else 1.0

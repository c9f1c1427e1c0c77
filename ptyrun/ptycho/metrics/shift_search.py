"""Which shifts may bring one field onto another, and which of them is it to a hundredth of a pixel?

Candidates are peaks of correlations, plain and whitened, of the fields and of their magnitudes:
whitened ones are sharp but lost in smooth images, magnitudes say little of an object of phase alone
and fields nothing where a ramp is not known yet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import fourier_shift, maximum_filter

from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.ramps import Ramp
from ptyrun.ptycho.metrics.registration import Shift

EDGE = 0.1  # of each side, tapered before images are correlated
# Lower peaks of a correlation are no candidates: those of a periodic object are nearly as high.
NEARLY_HIGHEST = 0.8
PEAKS_EACH = 4
PEAK_PX = 5
STEP_PX = 1.0
STEPS = 12
DONE_PX = 1e-4
SNAP_PX = 0.01
SAME_PX = 0.5
FLOOR = 1e-9  # of the best determined direction; along stripes, nothing tells the shift

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


def candidates(
    recon: Complex2D, truth: Complex2D, covered: Mask, farthest: float
) -> tuple[Shift, ...]:
    """Whole shifts that the peaks of correlations propose, each once.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (h, w)
        Without ramp, as far as it is known.
    covered : ndarray of bool, shape (h, w)
        Where the first is known.
    farthest : float
        Of each side, how far a shift may be.
    """
    if not covered.any():
        return ()
    window = np.outer(*map(_taper, recon.shape))
    found: list[Shift] = []
    for of in (lambda image: image, np.abs):
        first, second = of(recon), of(truth)
        own, wanted = (image - image[covered].mean() for image in (first, second))
        own = np.where(covered, own, 0)
        spectra = [fft.fft2((image * window).astype(np.complex64)) for image in (own, wanted)]
        cross = spectra[1] * spectra[0].conj()
        for product in (cross, _whitened(cross)):
            found += _peaks(fft.ifft2(product).real, farthest)
    return tuple(dict.fromkeys(found))


def _whitened(cross: Complex2D) -> Complex2D:
    height = np.abs(cross)
    return np.divide(cross, height, out=np.zeros_like(cross), where=height > 0)


def _taper(side: int) -> NDArray[np.float64]:
    edge = max(1, int(EDGE * side))
    profile = np.ones(side)
    profile[:edge] = (1 - np.cos(np.pi * (np.arange(edge) + 0.5) / edge)) / 2
    profile[side - edge :] = profile[:edge][::-1]
    return profile


def _peaks(correlation: NDArray[Any], farthest: float) -> Iterator[Shift]:
    """The highest local maxima; of those that are nearly as high, the nearest as well."""
    moves = [fft.fftfreq(side, 1 / side).round().astype(int) for side in correlation.shape]
    near = [np.abs(move) <= farthest * len(move) for move in moves]
    allowed = near[0][:, None] & near[1][None, :]
    highest = maximum_filter(correlation, size=PEAK_PX, mode="wrap") == correlation
    rows, columns = np.nonzero(highest & allowed & (correlation > 0))
    if not len(rows):
        return
    values = correlation[rows, columns]
    shifts = np.stack([moves[0][rows], moves[1][columns]], axis=1)
    by_height = np.argsort(-values)[:PEAKS_EACH]
    alike = np.flatnonzero(values >= NEARLY_HIGHEST * values.max())
    nearest = alike[np.argsort(np.hypot(*shifts[alike].T))[:PEAKS_EACH]]
    for place in dict.fromkeys([*by_height.tolist(), *nearest.tolist()]):
        yield Shift(float(shifts[place][0]), float(shifts[place][1]))


@dataclass(frozen=True)
class Step:
    """What is left between two fields: a shift in pixels and a ramp in radians per pixel."""

    dy_px: float
    dx_px: float
    ramp_y: float
    ramp_x: float
    factor: complex

    @property
    def longest_px(self) -> float:
        """The larger of both shifts."""
        return max(abs(self.dy_px), abs(self.dx_px))


@dataclass(frozen=True)
class Slopes:
    """The derivatives of a truth (H, W) along y and x, per pixel."""

    y: NDArray[np.complex64]
    x: NDArray[np.complex64]

    @classmethod
    def of(cls, truth: Complex2D) -> Slopes:
        """Differentiate as exactly as a spectrum can."""
        spectrum = fft.fft2(truth.astype(np.complex64))
        frequencies = [2j * np.pi * fft.fftfreq(side).astype(np.float32) for side in truth.shape]
        for each in frequencies:
            if len(each) % 2 == 0:
                each[len(each) // 2] = 0  # of either sign
        along_y, along_x = frequencies
        return cls(
            fft.ifft2(spectrum * along_y[:, None].astype(np.complex64)),
            fft.ifft2(spectrum * along_x[None, :].astype(np.complex64)),
        )


def step(
    recon: Complex2D,
    truth: Complex2D,
    slopes: tuple[Complex2D, Complex2D],
    covered: Mask,
    *,
    has_ramp: bool,
) -> Step:
    r"""Find the small shift and ramp that bring *recon* nearer to *truth*, by least squares.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (h, w)
    slopes : pair of ndarray of complex, shape (h, w)
        Derivatives of *truth* along y and x.
    covered : ndarray of bool, shape (h, w)
    has_ramp : bool
        Whether a ramp may be left.

    Notes
    -----
    A Gauss-Newton step of :math:`\sum |cR - O - \delta\cdot\nabla O - i(\rho\cdot x)O - d|^2` over
    covered pixels, with complex c and d: shift and ramp are found together, for either looks like
    the other where an object is small. Lucas and Kanade, IJCAI 674 (1981); with the derivatives of
    the template, Baker and Matthews, Int. J. Comput. Vis. 56, 221 (2004),
    doi:10.1023/B:VISI.0000011205.11775.fd.
    """
    inside = np.nonzero(covered)
    own, wanted = recon[inside], truth[inside]
    power = float(np.sum(np.abs(own) ** 2))
    factor = complex(np.sum(own.conj() * wanted) / power) if power > 0 else 1.0 + 0j
    columns = [slopes[0][inside], slopes[1][inside]]
    if has_ramp:
        columns += [
            1j * (places - side / 2) * wanted
            for places, side in zip(inside, covered.shape, strict=True)
        ]
    columns += [wanted, 1j * wanted, np.ones_like(wanted), 1j * np.ones_like(wanted)]
    basis = np.stack([np.concatenate([each.real, each.imag]) for each in columns])
    error = factor * own - wanted
    normal = basis @ basis.T
    right = basis @ np.concatenate([error.real, error.imag])
    scale = np.sqrt(np.diag(normal))
    known = scale > math.sqrt(FLOOR) * max(float(scale[:2].max()), 1e-30)
    found = np.zeros(len(columns))
    if known.any():
        own_scale = scale[known]
        system = normal[np.ix_(known, known)] / np.outer(own_scale, own_scale)
        found[known] = np.linalg.lstsq(system, right[known] / own_scale, rcond=FLOOR)[0] / own_scale
    ramp = found[2:4] if has_ramp else np.zeros(2)
    return Step(
        float(np.clip(found[0], -STEP_PX, STEP_PX)),
        float(np.clip(found[1], -STEP_PX, STEP_PX)),
        float(ramp[0]),
        float(ramp[1]),
        factor,
    )


@dataclass(frozen=True)
class Candidate:
    """A shift, the ramp that goes with it, and how well the fields agree then."""

    shift: Shift
    ramp: Ramp
    agreement: float


def rolled(image: NDArray[Any], there: Region) -> NDArray[Any]:
    """Cut a region out of an image (H, W); what juts out at one side is found at the other."""
    rows = np.arange(there.top, there.top + there.height)
    columns = np.arange(there.left, there.left + there.width)
    return image.take(rows, axis=0, mode="wrap").take(columns, axis=1, mode="wrap")


def by_spectrum(spectrum: Complex2D, shift: Shift) -> NDArray[np.complex128]:
    """Move an image (H, W), given by its spectrum."""
    turned = fourier_shift(spectrum, (shift.dy_px, shift.dx_px))
    return np.asarray(fft.ifft2(turned), np.complex128)


def snapped(shift: Shift) -> Shift:
    """A hundredth of a pixel is none: whole shifts keep every pixel as it is."""
    return Shift(
        *(
            float(round(move)) if abs(move - round(move)) < SNAP_PX else move
            for move in (shift.dy_px, shift.dx_px)
        )
    )


def length_px(shift: Shift) -> float:
    """How far a shift leads."""
    return float(np.hypot(shift.dy_px, shift.dx_px))


def distinct(found: list[Candidate]) -> list[Candidate]:
    """Those that lead to one shift count once."""
    kept: list[Candidate] = []
    for each in found:
        apart = [
            length_px(each.shift + Shift(-other.shift.dy_px, -other.shift.dx_px)) for other in kept
        ]
        if not apart or min(apart) > SAME_PX:
            kept.append(each)
    return kept

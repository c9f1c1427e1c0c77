"""What do amplitudes, or phases, of an aligned pair amount to, where they count?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics import measures
from ptyrun.ptycho.metrics.factors import ROUNDING, amplitude_factor
from ptyrun.ptycho.metrics.phase_pair import LEAST_PX, PhasePair
from ptyrun.ptycho.metrics.phases import without_plane
from ptyrun.ptycho.metrics.tiles import Sums, similarities, similarity_sums

NO_CONTRAST = "the truth has no contrast"
HOLES_DECIDE = "with these holes, too little is left to measure"
NO_WINDOW = f"no window of {measures.WANG_WINDOW_PX} px lies within what is measured"

Complex2D = NDArray[np.complexfloating[Any, Any]]
Image = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ImagePair:
    """A quantity of both fields, where it counts, and the range of the true one.

    Attributes
    ----------
    recon, truth : ndarray of float, shape (H, W)
        Amplitudes, or phases in radians.
    covered : ndarray of bool, shape (H, W)
        Where both are known.
    data_range : float
        Of the truth; 0 where it has no contrast.
    counted : ndarray of bool, shape (H, W)
        Where errors count.
    absolute, squared : ndarray of float, shape (H, W)
        Errors without their signs, and their squares.
    has_zero : bool
        Whether the quantity counts from somewhere.
    lacks : str
        Why there is nothing but errors.
    """

    recon: Image
    truth: Image
    covered: Mask
    data_range: float
    counted: Mask
    absolute: Image
    squared: Image
    has_zero: bool
    lacks: str = ""

    @classmethod
    def amplitude(cls, recon: Complex2D, truth: Complex2D, covered: Mask) -> Self:
        """Take amplitudes, scaled to the truth's mean.

        Parameters
        ----------
        recon, truth : ndarray of complex, shape (H, W)
            Aligned.
        covered : ndarray of bool, shape (H, W)
            Where the first is known.
        """
        own, wanted = np.abs(recon), np.abs(truth)
        own = own * amplitude_factor(own, wanted, covered)
        unit = float(wanted[covered].max())
        data_range = measures.value_range(wanted, covered, unit)
        error = own - wanted
        return cls(
            own, wanted, covered, data_range, covered, np.abs(error), error**2, has_zero=True
        )

    @classmethod
    def of_phases(cls, phases: PhasePair, recon: Complex2D, truth: Complex2D) -> Self:
        """Take phases that are there.

        Errors are of the phase of R O*, which knows no wraps. Where the truth has a phase and the
        reconstruction none, that is as wrong as a random one: pi/2, and pi^2/3 squared.

        Parameters
        ----------
        phases : PhasePair
            Of these images.
        recon, truth : ndarray of complex, shape (H, W)
            Aligned.
        """
        error = measures.phase_difference(recon, truth)
        lost = phases.lost
        data_range = 0.0
        if not phases.why_none:
            data_range = measures.value_range(phases.truth, phases.defined, 1.0)
        return cls(
            phases.recon,
            phases.truth,
            phases.defined,
            data_range,
            phases.expected,
            np.where(lost, np.pi / 2, np.abs(error)),
            np.where(lost, np.pi**2 / 3, error**2),
            has_zero=False,
            lacks=phases.why_none,
        )

    @cached_property
    def similarity(self) -> Sums:
        """What SSIM and MS-SSIM add up from, tile by tile."""
        pair = (self.recon, self.truth, self.covered, self.data_range)
        return similarity_sums(*pair, has_zero=self.has_zero)

    @cached_property
    def contrasts(self) -> tuple[Image, Image]:
        """Both images less what is arbitrary in them: of phases, their planes.

        Alignment gives the reconstruction the truth's plane, whatever the reconstruction is.
        """
        if self.has_zero or self.lacks:
            return self.recon, self.truth
        own, wanted = (_flat(each, self.covered) for each in (self.recon, self.truth))
        return own, wanted

    def measured(self) -> dict[str, float]:
        """Give every figure of a real image.

        Returns
        -------
        dict of str to float
            By name; see :mod:`ptyrun.ptycho.metrics.measures`.
        """
        similar = similarities({name: sums.sum() for name, sums in self.similarity.items()})
        recon, truth = (counted(each, self.covered) for each in self.contrasts)
        correlation = measures.contrast_correlation(recon, truth)
        transfer = measures.contrast_transfer(recon, truth)
        absolute, squared = (counted(each, self.counted) for each in (self.absolute, self.squared))
        return {
            "mae": _mean(absolute),
            "psnr": self._psnr(_mean(squared)),
            "ssim": float(similar.get("ssim", math.nan)),
            "ms_ssim": float(similar.get("ms_ssim", math.nan)),
            "contrast_correlation": math.nan if self.lacks else correlation,
            "contrast_transfer": math.nan if self.lacks else transfer,
        }

    def weighted(self, weights: Image) -> dict[str, float]:
        """Give errors weighted by how much a pixel counts.

        Parameters
        ----------
        weights : ndarray of float, shape (H, W)
            Not negative.

        Returns
        -------
        dict of str to float
            By name.
        """
        absolute, squared, weight = (
            counted(each, self.counted) for each in (self.absolute, self.squared, weights)
        )
        if absolute.size < LEAST_PX:
            return {"weighted_mae": math.nan, "weighted_psnr": math.nan}
        return {
            "weighted_mae": measures.weighted_mean(absolute, weight),
            "weighted_psnr": self._psnr(measures.weighted_mean(squared, weight)),
        }

    def _psnr(self, mse: float) -> float:
        return math.nan if self.lacks else measures.psnr(mse, self.data_range)

    @property
    def reasons(self) -> Reasons:
        """Why a figure may be NaN."""
        return Reasons(self.lacks, self.data_range)


@dataclass(frozen=True)
class Reasons:
    """Why figures of an image pair may be NaN; kept while the images are not.

    Attributes
    ----------
    lacks : str
        Why there is nothing but errors.
    data_range : float
        Of the truth.
    """

    lacks: str
    data_range: float

    def why_none(self, metric: str) -> str:
        """Say why a figure is NaN.

        Parameters
        ----------
        metric : str
            Its name.

        Returns
        -------
        str
            The reason, for a person.
        """
        if self.lacks:
            return self.lacks
        if metric.startswith("frc"):
            return HOLES_DECIDE if self.data_range else NO_CONTRAST
        if metric in ("contrast_correlation", "contrast_transfer"):
            return "one of the two has no contrast"
        return NO_WINDOW if self.data_range else NO_CONTRAST


def counted(values: NDArray[Any], where: Mask) -> NDArray[Any]:
    """Take the pixels that count; all of an image without holes are no copy of it.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Of any dtype.
    where : ndarray of bool, shape (H, W)
        Which pixels count.

    Returns
    -------
    ndarray, shape (k,)
        In the order of the image.
    """
    return values.reshape(-1) if where.all() else values[where]


def _flat(phase: Image, where: Mask) -> Image:
    flat = without_plane(phase, where)
    least = ROUNDING * max(1.0, float(np.ptp(phase[where])))
    return flat if float(np.ptp(flat[where])) > least else np.zeros_like(flat)


def _mean(errors: Image) -> float:
    return float(np.mean(errors)) if errors.size >= LEAST_PX else math.nan

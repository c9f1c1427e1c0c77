"""On which pixels are several reconstructions compared with each other, and what is found there?

Figures of different pixels rank nothing: what is smooth is reconstructed better than what is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptyrun.config import PhaseAlign
from ptyrun.ptycho.geometry.placement import SMALLEST_PX, Region
from ptyrun.ptycho.metrics.aligned import refitted
from ptyrun.ptycho.metrics.factors import signed_agreement
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.ptycho.metrics.measures import wang_scales
from ptyrun.ptycho.metrics.phase_pair import FEWEST_PX, where_defined
from ptyrun.ptycho.metrics.standard_metrics import Standard, standard_metrics

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


class Registered(Protocol):
    """An image (h, w) registered to a truth (h, w), which region that is, and what it covers."""

    @property
    def recon(self) -> NDArray[np.complex64]:
        """Without shift, ramp and factor."""

    @property
    def truth(self) -> NDArray[np.complex64]:
        """On the same pixels."""

    @property
    def covered(self) -> Mask:
        """Where the first is known."""

    @property
    def region(self) -> Region:
        """Which pixels of the object these are."""


@dataclass(frozen=True)
class CommonGround:
    """What all of several images cover.

    Attributes
    ----------
    region : Region
        The rectangle of the object that all of them have.
    covered : ndarray of bool, shape (h, w)
        Where in it all of them are known; nothing else is compared.
    phased : ndarray of bool, shape (h, w)
        Where all of them have amplitude enough for a phase.
    """

    region: Region
    covered: Mask
    phased: Mask

    @classmethod
    def of(cls, images: Sequence[Registered]) -> CommonGround | None:
        """Find what all images cover.

        Parameters
        ----------
        images : sequence of Registered
            On one grid.

        Returns
        -------
        CommonGround, optional
            None where that is too little to compare anything.
        """
        if not images:
            return None
        region = images[0].region
        for image in images[1:]:
            region = region.overlap(image.region)
        if min(region.height, region.width) < SMALLEST_PX:
            return None
        covered = np.logical_and.reduce([_cut(image.covered, image, region) for image in images])
        if covered.sum() < FEWEST_PX:
            return None
        phased = [where_defined(_cut(image.recon, image, region), covered) for image in images]
        return cls(region, covered, np.logical_and.reduce(phased))

    @property
    def n_scales(self) -> int:
        """How many scales MS-SSIM has here, for every arm."""
        return len(wang_scales(self.covered))

    @property
    def n_px(self) -> int:
        """How many pixels all images cover."""
        return int(self.covered.sum())

    def is_all_of(self, image: Registered) -> bool:
        """Whether these are just the pixels that *image* has.

        Parameters
        ----------
        image : Registered
            One of those that the ground was found for.

        Returns
        -------
        bool
            True where the image has no other pixel.
        """
        return (
            self.region == image.region
            and bool(np.array_equal(self.covered, image.covered))
            and bool(np.array_equal(self.phased, where_defined(image.recon, image.covered)))
        )

    def cut(
        self, image: Registered, phase: PhaseAlign
    ) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
        """Cut an image and its truth to these pixels, of which ramp and factor are.

        Parameters
        ----------
        image : Registered
            One of those that the ground was found for.
        phase : PhaseAlign
            Whether a plane or only a mean is taken off.

        Returns
        -------
        tuple of ndarray of complex64, shape (h, w)
            The image and the truth.
        """
        recon, truth = (_cut(each, image, self.region) for each in (image.recon, image.truth))
        fitted = refitted(recon, truth, self.covered, phase)
        return fitted.astype(np.complex64), truth

    def measured(self, recon: Complex2D, truth: Complex2D, noise: Noise = Noise.FIRST) -> Standard:
        """Measure a pair that :meth:`cut` gave.

        Parameters
        ----------
        recon, truth : ndarray of complex, shape (h, w)
            The pair.
        noise : Noise
            BOTH where *truth* is another noisy measurement.

        Returns
        -------
        Standard
            Of these pixels alone.
        """
        return standard_metrics(recon, truth, self.covered, noise, self.phased, tiled=True)

    def between(self, first: Complex2D, second: Complex2D, phase: PhaseAlign) -> Standard:
        """Measure two images that :meth:`cut` gave against each other, as they lie.

        Parameters
        ----------
        first, second : ndarray of complex, shape (h, w)
            The second stands for the truth, as one more noisy measurement.
        phase : PhaseAlign
            Whether a plane or only a mean is taken off the first.

        Returns
        -------
        Standard
            Of these pixels alone.
        """
        fitted = refitted(first, second, self.covered, phase)
        return standard_metrics(fitted, second, self.covered, Noise.BOTH, self.phased)

    def agreement(self, first: Complex2D, second: Complex2D, phase: PhaseAlign) -> float:
        """How well two images that :meth:`cut` gave agree, as they lie.

        Parameters
        ----------
        first, second : ndarray of complex, shape (h, w)
        phase : PhaseAlign
            Whether a plane or only a mean is taken off the first.

        Returns
        -------
        float
            In [-1, 1], as :func:`~ptyrun.ptycho.metrics.factors.signed_agreement` gives it.
        """
        fitted = refitted(first, second, self.covered, phase)
        return signed_agreement(fitted[self.covered], second[self.covered])


def _cut(values: NDArray[Any], image: Registered, region: Region) -> NDArray[Any]:
    top, left = region.top - image.region.top, region.left - image.region.left
    return values[top : top + region.height, left : left + region.width]

"""A predictor for ptyrun without any network: phase retrieval of single patterns.

The probe is known, so each pattern alone says something about the object it passed. From a
flat object the extended ptychographical iterative engine (ePIE) is run on that one pattern:
Maiden & Rodenburg, Ultramicroscopy 109, 1256 (2009), doi:10.1016/j.ultramic.2009.05.012.

The model is an NPZ with ``probeGuess``, complex, (N, N). Each pattern gets the same bits in any
batch, because patterns never meet.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import ModelError
from ptyrun.predictors import ModelCard, ModelRequest, locate

ITERATIONS = 20


class KnownProbePredictor:
    """Patches by ePIE with a known probe, one pattern at a time."""

    def __init__(self, probe: NDArray[np.complex64], iterations: int, batch_items: int) -> None:
        self.card = ModelCard(
            patch_px=len(probe),
            gridsize=1,
            takes_offsets=False,
            description=f"ePIE with a known probe, {iterations} iterations",
        )
        self.batch_items = batch_items
        self._probe = probe
        self._iterations = iterations

    @classmethod
    def open(cls, request: ModelRequest) -> Self:
        """Read the probe; the option ``iterations`` says how often to iterate."""
        path = locate(request.path).path if request.path.is_dir() else request.path
        with np.load(path, allow_pickle=False) as arrays:
            probe = np.asarray(arrays["probeGuess"], np.complex64)
        if probe.shape != (request.patch_px, request.patch_px) or request.gridsize != 1:
            raise ModelError(
                f"the probe has shape {probe.shape}",
                why=f"single patterns of {request.patch_px} px need a probe of that size",
                do="give the probe of this scan, and gridsize 1",
            )
        return cls(probe, int(request.options.get("iterations", ITERATIONS)), request.batch_items)

    def predict(
        self, diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        """(B, N, N, 1) normalised amplitudes to (B, N, N) patches."""
        n = len(self._probe)
        # Normalised patterns hold (N/2)^2 on average: as much as the probe, if nothing absorbs.
        energy = float(np.sum(np.abs(self._probe) ** 2))
        amplitude = np.fft.ifftshift(diffraction[..., 0], axes=(-2, -1)) * np.sqrt(energy) / (n / 2)
        update = self._probe.conj() / np.max(np.abs(self._probe)) ** 2
        patches = np.ones(amplitude.shape, np.complex64)
        for _ in range(self._iterations):
            exit_wave = patches * self._probe
            field = np.fft.fft2(exit_wave, norm="ortho")
            field = amplitude * np.exp(1j * np.angle(field))
            patches = patches + update * (np.fft.ifft2(field, norm="ortho") - exit_wave)
        return patches.astype(np.complex64)

    def close(self) -> None:
        """Nothing to let go of."""

"""What would a detector record if a known object were scanned?

Fraunhofer diffraction of a coherent probe: the wave behind the object at position r is
P(u) O(r + u). A detector pixel expects |FFT(P O)|^2 photons (orthonormal transform, so that all
photons behind the object reach the detector) and counts with Poisson noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from chart import draw_object
from numpy.typing import NDArray

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

PROBE_RADIUS_PX = 20.0
PROBE_EDGE_PX = 2.0
DEFOCUS = 0.9
ASTIGMATISM = 0.12
WINDOW_MARGIN_PX = 8
FRAMES_AT_ONCE = 128


@dataclass(frozen=True)
class Setup:
    """One experiment: what is scanned, with what, how long.

    Attributes
    ----------
    patch_px : int
        Side N of a diffraction pattern and of the field that one exposure sees.
    n_rows, n_columns, step_px, jitter_px : int, int, float, float
        The scan: a grid of positions, each moved by up to ``jitter_px`` along either axis.
    photons : float
        Photons that fall onto the object in one exposure: the dose.
    """

    photons: float
    patch_px: int = 64
    n_rows: int = 56
    n_columns: int = 28
    step_px: float = 5.5
    jitter_px: float = 1.6
    seed: int = 42

    @property
    def margin_px(self) -> float:
        """From the edge of the object to the first row and column of the scan."""
        return self.patch_px / 2 + self.jitter_px + 4

    @property
    def object_shape(self) -> tuple[int, int]:
        """Room for every patch (H, W)."""
        rows = (self.n_rows - 1) * self.step_px + 2 * self.margin_px
        columns = (self.n_columns - 1) * self.step_px + 2 * self.margin_px
        return int(np.ceil(rows)), int(np.ceil(columns))


@dataclass(frozen=True)
class Exposures:
    """What was recorded, and the truth behind it.

    ``counts`` (n, N, N) uint16 photons, DC centred; ``positions_px`` (n, 2) patch centres (y, x)
    in object pixels; ``probe`` (N, N), its squared modulus in photons; ``object`` (H, W).
    """

    setup: Setup
    counts: NDArray[np.uint16]
    positions_px: Float
    probe: Complex
    object: Complex


def expose(setup: Setup) -> Exposures:
    """Scan the object of the demo as *setup* says."""
    rng = np.random.default_rng(setup.seed)
    positions_px = jittered_grid(setup, rng)
    probe = make_probe(setup.patch_px, setup.photons)
    obj = draw_object(setup.object_shape)
    counts = np.empty((len(positions_px), setup.patch_px, setup.patch_px), np.uint16)
    for start in range(0, len(positions_px), FRAMES_AT_ONCE):
        some = slice(start, start + FRAMES_AT_ONCE)
        expected = intensities(probe * patches(obj, positions_px[some], setup.patch_px))
        counts[some] = rng.poisson(expected)
    return Exposures(setup, counts, positions_px, probe, obj)


def jittered_grid(setup: Setup, rng: np.random.Generator) -> Float:
    """Positions (n, 2) as (y, x) in object pixels: no raster, so no raster artefact."""
    rows, columns = np.meshgrid(
        np.arange(setup.n_rows), np.arange(setup.n_columns), indexing="ij"
    )
    grid = np.stack([rows.ravel(), columns.ravel()], axis=1) * setup.step_px + setup.margin_px
    return grid + rng.uniform(-setup.jitter_px, setup.jitter_px, grid.shape)


def make_probe(patch_px: int, photons: float) -> Complex:
    """Beam of a round aperture, behind the focus, slightly astigmatic.

    Its diffraction pattern is a shadow image of the object with interference fringes: the
    curvature makes single patterns far easier to invert than those of a focused beam.

    Returns
    -------
    ndarray of complex128, shape (N, N)
        Centre at pixel N/2; the sum of the squared moduli is *photons*.
    """
    axis = np.arange(patch_px) - patch_px // 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    radius = np.hypot(y, x)
    scale = patch_px / 64
    edge = (PROBE_RADIUS_PX * scale - radius) / (PROBE_EDGE_PX * scale)
    amplitude = 1 / (1 + np.exp(-2 * edge))
    curvature = np.pi / patch_px * ((DEFOCUS + ASTIGMATISM) * x**2 + (DEFOCUS - ASTIGMATISM) * y**2)
    probe = amplitude * np.exp(1j * curvature)
    return probe * np.sqrt(photons / np.sum(amplitude**2))


def patches(obj: Complex, positions_px: Float, patch_px: int) -> Complex:
    """Cut what each exposure sees: (n, N, N), pixel N/2 of a patch at its position.

    Fractions of a pixel are moved by the Fourier shift theorem, in a window that is wider than
    the patch, so that what wraps around stays outside.
    """
    window_px = patch_px + 2 * WINDOW_MARGIN_PX
    whole = np.floor(positions_px).astype(int)
    fraction = positions_px - whole
    padded = np.pad(obj, WINDOW_MARGIN_PX, mode="edge")
    corner = whole - patch_px // 2
    every = np.lib.stride_tricks.sliding_window_view(padded, (window_px, window_px))
    windows = every[corner[:, 0], corner[:, 1]]
    frequency = np.fft.fftfreq(window_px)
    ramp_y = np.exp(2j * np.pi * frequency * fraction[:, :1])[:, :, None]
    ramp_x = np.exp(2j * np.pi * frequency * fraction[:, 1:])[:, None, :]
    moved = np.fft.ifft2(np.fft.fft2(windows) * ramp_y * ramp_x)
    inner = slice(WINDOW_MARGIN_PX, WINDOW_MARGIN_PX + patch_px)
    return moved[:, inner, inner]


def intensities(exit_waves: Complex) -> Float:
    """Far field of (n, N, N) waves: expected photons per pixel, DC centred."""
    shifted = np.fft.ifftshift(exit_waves, axes=(-2, -1))
    field = np.fft.fft2(shifted, norm="ortho")
    return np.abs(np.fft.fftshift(field, axes=(-2, -1))) ** 2

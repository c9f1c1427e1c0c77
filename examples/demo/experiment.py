"""What would a detector record if the demo's object were scanned?

Fraunhofer diffraction of a coherent beam: the wave behind the object at position r is
P(u) O(r + u). A detector pixel expects |FFT(P O)|^2 photons (orthonormal transform, so that all
photons behind the object reach the detector) and counts with Poisson noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from chart import draw_object
from numpy.typing import NDArray
from recipes import Scan

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

# Of a 64 px patch; other patches are illuminated alike.
REFERENCE_PX = 64
PROBE_RADIUS_PX = 20.0
PROBE_EDGE_PX = 2.0
DEFOCUS = 0.9
ASTIGMATISM = 0.12

WINDOW_MARGIN_PX = 8
FRAMES_AT_ONCE = 128


@dataclass(frozen=True)
class Exposures:
    """What was recorded, and the truth behind it.

    ``counts`` (n, N, N) uint16 photons, DC centred; ``positions_px`` (n, 2) patch centres (y, x)
    in object pixels; ``probe`` (N, N), its squared modulus in photons; ``object`` (H, W).
    """

    counts: NDArray[np.uint16]
    positions_px: Float
    probe: Complex
    object: Complex


def expose(scan: Scan) -> Exposures:
    """Scan the object of the demo as *scan* says. Equal scans give equal photons."""
    rng = np.random.default_rng(scan.seed)
    positions_px = jittered_grid(scan, rng)
    probe = make_probe(scan.patch_px, scan.photons)
    obj = draw_object(scan.object_shape)
    counts = np.empty((len(positions_px), scan.patch_px, scan.patch_px), np.uint16)
    for start in range(0, len(positions_px), FRAMES_AT_ONCE):
        some = slice(start, start + FRAMES_AT_ONCE)
        expected = far_field_photons(probe * cut_patches(obj, positions_px[some], scan.patch_px))
        counts[some] = rng.poisson(expected)
    return Exposures(counts, positions_px, probe, obj)


def jittered_grid(scan: Scan, rng: np.random.Generator) -> Float:
    """Positions (n, 2) as (y, x) in object pixels: no raster, so no raster artefact."""
    rows, columns = np.divmod(np.arange(scan.n_rows * scan.n_columns), scan.n_columns)
    grid = np.stack([rows, columns], axis=1) * scan.step_px + scan.margin_px
    return grid + rng.uniform(-scan.jitter_px, scan.jitter_px, grid.shape)


def make_probe(patch_px: int, photons: float) -> Complex:
    """Beam of a round aperture, out of focus and slightly astigmatic.

    Out of focus, a diffraction pattern is a shadow image of the object with interference fringes:
    single patterns are far easier to invert than those of a focused beam.

    Returns
    -------
    ndarray of complex128, shape (N, N)
        Centred at pixel N/2; the sum of the squared moduli is *photons*.
    """
    scale = patch_px / REFERENCE_PX
    axis = np.arange(patch_px) - patch_px // 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    inside_px = PROBE_RADIUS_PX * scale - np.hypot(y, x)
    amplitude = 1 / (1 + np.exp(-2 * inside_px / (PROBE_EDGE_PX * scale)))
    bent = (DEFOCUS + ASTIGMATISM) * x**2 + (DEFOCUS - ASTIGMATISM) * y**2
    wave = amplitude * np.exp(1j * np.pi / patch_px * bent)
    return np.asarray(wave * np.sqrt(photons / np.sum(amplitude**2)))


def cut_patches(obj: Complex, positions_px: Float, patch_px: int) -> Complex:
    """Cut what each exposure sees: (n, N, N), pixel N/2 of a patch at its position.

    Fractions of a pixel are moved by the Fourier shift theorem, in a window that is wider than
    the patch, so that what wraps around stays outside.
    """
    window_px = patch_px + 2 * WINDOW_MARGIN_PX
    whole = np.floor(positions_px).astype(int)
    fraction = positions_px - whole
    padded = np.pad(obj, WINDOW_MARGIN_PX, mode="edge")
    every = np.lib.stride_tricks.sliding_window_view(padded, (window_px, window_px))
    corner = whole - patch_px // 2
    windows = every[corner[:, 0], corner[:, 1]]
    frequency = np.fft.fftfreq(window_px)
    ramp_y = np.exp(2j * np.pi * frequency * fraction[:, :1])[:, :, None]
    ramp_x = np.exp(2j * np.pi * frequency * fraction[:, 1:])[:, None, :]
    moved = np.fft.ifft2(np.fft.fft2(windows) * ramp_y * ramp_x)
    inner = slice(WINDOW_MARGIN_PX, WINDOW_MARGIN_PX + patch_px)
    return moved[:, inner, inner]


def far_field_photons(exit_waves: Complex) -> Float:
    """Photons expected per detector pixel, DC centred, for waves (n, N, N) behind the object."""
    field = np.fft.fft2(np.fft.ifftshift(exit_waves, axes=(-2, -1)), norm="ortho")
    return np.asarray(np.abs(np.fft.fftshift(field, axes=(-2, -1))) ** 2)

"""Small scans and networks for tests: real physics, seconds to run, nothing trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.scenes import PATCH_PX as PATCH_PX
from tests.scenes import small_object as small_object
from tests.scenes import small_probe as small_probe


def scan_arrays(
    n_positions: int = 60,
    seed: int = 7,
    patch_px: int = PATCH_PX,
    shape: tuple[int, int] = (96, 90),
) -> dict[str, Any]:
    """The arrays of a scan: diffraction amplitude of object times probe, at random positions."""
    image, probe = small_object(*shape), small_probe(patch_px)
    generator = np.random.default_rng(seed)
    half = patch_px // 2
    low, high = half, np.array(image.shape) - half
    centres = generator.uniform(low, high, (n_positions, 2)).round()
    frames = []
    for row, column in centres.astype(int):
        patch = image[row - half : row + half, column - half : column + half]
        field = np.fft.fftshift(np.fft.fft2(patch * probe, norm="ortho"))
        frames.append(np.sqrt(generator.poisson(1e4 * np.abs(field) ** 2 + 0.01) / 1e4))
    return {
        "diffraction": np.array(frames, np.float32),
        "probeGuess": probe,
        "objectGuess": image,
        "xcoords": centres[:, 1],
        "ycoords": centres[:, 0],
    }


def write_scan(path: Path, **changed: NDArray[np.generic] | None) -> Path:
    """Write a scan; *changed* replaces arrays, or leaves those away that are None."""
    arrays = {**scan_arrays(), **changed}
    kept = {name: array for name, array in arrays.items() if array is not None}
    np.savez(path, allow_pickle=False, **kept)
    return path


def write_network(
    folder: Path, gridsize: int, seed: int = 0, patch_px: int = PATCH_PX, merges: bool = False
) -> Path:
    """Write an untrained TorchScript network into *folder*, with its card."""
    folder.mkdir(parents=True, exist_ok=True)
    from tests import scan_networks  # it needs PyTorch, and scans do not

    scan_networks.write(folder / "model.ts", gridsize, seed, merges=merges)
    card = {
        "schema": 1, "backend": "pytorch", "file": "model.ts",
        "patch_px": patch_px, "gridsize": gridsize,
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def write_reconstruction(path: Path, seed: int = 3) -> Path:
    """Write a reconstruction close to the object."""
    image = small_object()
    noise = np.random.default_rng(seed).normal(0, 0.02, (2, *image.shape))
    recon = (image + noise[0] + 1j * noise[1]).astype(np.complex64)
    np.savez(path, allow_pickle=False, reconstructed_object=recon, algorithm="LSQML")
    return path

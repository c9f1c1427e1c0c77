"""Small scans and networks for tests: real physics, seconds to run, nothing trained."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
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


class SmallNetwork(torch.nn.Module):
    """Channels in, one complex patch out; untrained, but neither zero nor constant."""

    def __init__(self, gridsize: int, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.convolve = torch.nn.Conv2d(gridsize**2, 2, 5, padding=2)

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        features = self.convolve(torch.fft.ifftshift(diffraction, dim=(-2, -1)))
        amplitude = 0.5 + torch.sigmoid(features[:, 0])
        return torch.polar(amplitude, torch.tanh(features[:, 1]))


class MergingNetwork(SmallNetwork):
    """Sums the groups of a batch into one canvas, as upstream's own layer does."""

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        features = self.convolve(torch.fft.ifftshift(diffraction, dim=(-2, -1)))
        amplitude = 0.5 + torch.sigmoid(features[:, 0])
        return torch.polar(amplitude, torch.tanh(features[:, 1])).sum(dim=0, keepdim=True)


def write_network(
    folder: Path, gridsize: int, seed: int = 0, patch_px: int = PATCH_PX, merges: bool = False
) -> Path:
    """Write an untrained TorchScript network into *folder*, with its card."""
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # TorchScript is deprecated, and many people still have such files.
        warnings.simplefilter("ignore", DeprecationWarning)
        kind = MergingNetwork if merges else SmallNetwork
        torch.jit.script(kind(gridsize, seed).eval()).save(folder / "model.ts")
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

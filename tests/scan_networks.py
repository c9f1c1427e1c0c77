"""Untrained networks for the scans of tests/scans.py, in PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch


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


def write(path: Path, gridsize: int, seed: int, *, merges: bool) -> None:
    """Write one as TorchScript."""
    with warnings.catch_warnings():
        # TorchScript is deprecated, and many people still have such files.
        warnings.simplefilter("ignore", DeprecationWarning)
        kind = MergingNetwork if merges else SmallNetwork
        torch.jit.script(kind(gridsize, seed).eval()).save(path)

"""How does the reference physics-informed network turn four diffraction patterns into one patch?

The object begins as empty space. Each stage first takes the object closer to the four measured
amplitudes, with the known probe at its four positions, then lets a small convolutional network
correct what such a step leaves wrong: twin images, noise, the low frequencies.

The step is that of rPIE for four patterns at once: Maiden, Johnson & Li, Optica 4, 736 (2017),
doi:10.1364/OPTICA.4.000736. Training such a network on diffraction alone is the idea of
PtychoPINN: Hoidn, Mishra & Mehta, Sci. Rep. 13, 22789 (2023), doi:10.1038/s41598-023-48351-7.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# In parts of the strongest illumination: where light is weaker, a step trusts it less.
REGULARISATION = 0.02
SMALLEST_AMPLITUDE = 1e-3


class UnrolledPinn(nn.Module):
    """Diffraction (B, C, N, N) and local offsets (B, C, 2) to patches (B, N, N) complex64.

    Parameters
    ----------
    probe : Tensor of complex64, shape (N, N)
        Scaled so that |FFT(probe * patch)| (orthonormal) is the normalised amplitude.
    """

    probe_spectrum: Tensor
    frequency: Tensor

    def __init__(self, probe: Tensor, stages: int, width: int) -> None:
        super().__init__()
        self.register_buffer("probe_spectrum", torch.fft.fft2(probe))
        self.register_buffer("frequency", torch.fft.fftfreq(probe.shape[-1]))
        self.strongest = float(probe.abs().square().max())
        self.corrections = nn.ModuleList(Correction(width) for _ in range(stages))

    def forward(self, diffraction: Tensor, local_offsets_px: Tensor) -> Tensor:
        """Predict one patch per group, centred at the group's mean position."""
        measured = torch.fft.ifftshift(diffraction, dim=(-2, -1))
        probes = self.probes(local_offsets_px)
        light = probes.abs().square().sum(dim=1)
        trust = light + REGULARISATION * self.strongest
        patch = torch.ones_like(probes[:, 0])
        for correct in self.corrections:
            field = far_field(probes, patch)
            missing = field * (measured / (modulus(field) + SMALLEST_AMPLITUDE) - 1)
            waves = torch.fft.ifft2(missing, norm="ortho")
            patch = patch + (probes.conj() * waves).sum(dim=1) / trust
            patch = patch + correct(patch, light / trust)
        return patch

    def probes(self, local_offsets_px: Tensor) -> Tensor:
        """Beam of each member in its group's frame: (B, C, N, N), moved by minus the offset."""
        cycles = (
            self.frequency[:, None] * local_offsets_px[..., 1, None, None]
            + self.frequency * local_offsets_px[..., 0, None, None]
        )
        ramp = torch.polar(torch.ones_like(cycles), 2 * torch.pi * cycles)
        found: Tensor = torch.fft.ifft2(self.probe_spectrum * ramp)
        return found

    def residual(self, patch: Tensor, diffraction: Tensor, local_offsets_px: Tensor) -> Tensor:
        """Part of the measured energy that a patch leaves unexplained: the loss, dimensionless.

        Squared differences of amplitudes: the root makes the variance of Poisson counts the same
        for bright and dark pixels, so this is their likelihood but for a constant.
        """
        measured = torch.fft.ifftshift(diffraction, dim=(-2, -1))
        predicted = modulus(far_field(self.probes(local_offsets_px), patch))
        found: Tensor = (predicted - measured).square().sum() / measured.square().sum()
        return found


class Correction(nn.Module):
    """A small U-Net: patch and illumination to what must be added; nothing, before training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.PixelUnshuffle(2), *convolution(12, width))
        self.fine = nn.Sequential(*convolution(width, width))
        self.coarse = nn.Sequential(
            nn.AvgPool2d(2),
            *convolution(width, 2 * width),
            *convolution(2 * width, 2 * width),
            nn.Conv2d(2 * width, width, 1),
            nn.Upsample(scale_factor=2),
        )
        last = nn.Conv2d(width, 8, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias if last.bias is not None else last.weight)
        self.leave = nn.Sequential(
            *convolution(width, width), *convolution(width, width), last, nn.PixelShuffle(2)
        )

    def forward(self, patch: Tensor, illumination: Tensor) -> Tensor:
        """Give what to add to a patch (B, N, N), lit like that (B, N, N)."""
        seen = self.fine(self.enter(torch.stack([patch.real, patch.imag, illumination], dim=1)))
        real, imaginary = self.leave(seen + self.coarse(seen)).unbind(dim=1)
        return torch.complex(real, imaginary)


def convolution(channels_in: int, channels_out: int) -> tuple[nn.Module, nn.Module]:
    """Make a 3 x 3 convolution and its activation."""
    return nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.ReLU()


def far_field(probes: Tensor, patch: Tensor) -> Tensor:
    """Waves (B, C, N, N) at the detector, DC at pixel 0."""
    field: Tensor = torch.fft.fft2(probes * patch[:, None], norm="ortho")
    return field


def modulus(field: Tensor) -> Tensor:
    """Compute |field|, with a gradient at zero too."""
    return torch.sqrt(field.real.square() + field.imag.square() + SMALLEST_AMPLITUDE**2)

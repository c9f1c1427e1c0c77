"""How does pty-chi run where torchvision does not?

pty-chi imports one class from torchvision, ``GaussianBlur``, and calls it in one place (phase
unwrapping, which is not asked for here). Builds of torchvision exist for few builds of
PyTorch, so where it is missing this module takes its place, with the same arithmetic.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn import functional


class GaussianBlur(nn.Module):
    """Blur images (..., C, H, W); the border is mirrored.

    Parameters
    ----------
    kernel_size : (int, int)
        Width and height, odd, in pixels.
    sigma : (float, float)
        torchvision draws the standard deviation from this range; here its ends must be equal,
        as they are where pty-chi uses it.
    """

    def __init__(self, kernel_size: tuple[int, int], sigma: tuple[float, float]) -> None:
        super().__init__()
        if sigma[0] != sigma[1]:
            raise NotImplementedError("the stand-in for torchvision draws no random blur")
        self.kernel_size = kernel_size
        self.sigma_px = sigma[0]

    def forward(self, images: Tensor) -> Tensor:
        """Blur *images*."""
        width, height = (self._kernel(size).to(images) for size in self.kernel_size)
        channels = images.shape[-3]
        kernel = torch.outer(height, width).expand(channels, 1, -1, -1)
        x, y = (size // 2 for size in self.kernel_size)
        padded = functional.pad(images, (x, x, y, y), mode="reflect")
        return functional.conv2d(padded, kernel, groups=channels)

    def _kernel(self, size: int) -> Tensor:
        axis = torch.arange(size) - (size - 1) / 2
        weights = torch.exp(-0.5 * (axis / self.sigma_px).square())
        return weights / weights.sum()


@contextmanager
def torchvision_or_stand_in() -> Iterator[None]:
    """Let ``from torchvision.transforms import GaussianBlur`` find this one, if there is none.

    It stays: pty-chi may import it later.
    """
    try:
        import torchvision.transforms  # noqa: F401
    except (ImportError, RuntimeError):  # RuntimeError: a build for another PyTorch
        package, transforms = ModuleType("torchvision"), ModuleType("torchvision.transforms")
        transforms.GaussianBlur = GaussianBlur  # type: ignore[attr-defined]
        package.transforms = transforms  # type: ignore[attr-defined]
        sys.modules |= {package.__name__: package, transforms.__name__: transforms}
    yield

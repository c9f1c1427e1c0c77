"""Small PyTorch networks for tests: untrained, quick, with every kind of output and fault."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import torch

N = 16
ROLES = ("autoencoder", "diffraction_to_obj")


class Network(torch.nn.Module):
    """Diffraction and offsets through one convolution; complex patches out."""

    def __init__(self, gridsize: int = 2) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = torch.nn.Conv2d(gridsize**2, 2, 3, padding=1)

    def forward(self, diffraction: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        features = self.first(diffraction) + offsets.sum(1)[:, :, None, None] / 10
        return torch.polar(torch.sigmoid(features[:, 0]), torch.tanh(features[:, 1]))


class OneConvolution(torch.nn.Module):
    """What all that take diffraction alone are made of."""

    def __init__(self, gridsize: int = 2) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = torch.nn.Conv2d(gridsize**2, 2, 3, padding=1)


class WithoutOffsets(OneConvolution):
    """Diffraction alone."""

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        features = self.first(diffraction)
        return torch.polar(torch.sigmoid(features[:, 0]), torch.tanh(features[:, 1]))


class TwoChannels(WithoutOffsets):
    """Amplitude and phase as channels of one real output."""

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        return self.first(diffraction).abs()


class TwoOutputs(OneConvolution):
    """Amplitude and phase as two outputs."""

    def forward(self, diffraction: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.first(diffraction).abs()
        return features[:, :1], features[:, 1:]


class PhaseFirst(OneConvolution):
    """Two outputs by name, the phase before the amplitude."""

    def forward(self, diffraction: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.first(diffraction).abs()
        return {"phase": features[:, 1:], "amplitude": features[:, :1]}


class PhaseAndAmplitude(NamedTuple):
    """A named tuple in the order that a predictor does not expect."""

    phi: torch.Tensor
    magnitude: torch.Tensor


class NamedTupleOutput(OneConvolution):
    """Two outputs as fields of a named tuple, the phase before the amplitude."""

    def forward(self, diffraction: torch.Tensor) -> PhaseAndAmplitude:
        features = self.first(diffraction).abs()
        return PhaseAndAmplitude(features[:, 1:], features[:, :1])


class RealAndImaginary(OneConvolution):
    """The trap: two outputs that are no amplitude and no phase."""

    def forward(self, diffraction: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.first(diffraction)
        return {"real": features[:, :1], "imag": features[:, 1:]}


class OneCanvas(Network):
    """The trap: one patch for the whole batch."""

    def forward(self, diffraction: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        features = self.first(diffraction).sum(0, keepdim=True) + offsets.sum() / 10
        return torch.polar(torch.sigmoid(features[:, 0]), torch.tanh(features[:, 1]))


class SharedNormalisation(WithoutOffsets):
    """As many patches as groups, but each depends on all of them."""

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        features = self.first(diffraction)
        features = features / features.abs().mean()
        return torch.polar(torch.sigmoid(features[:, 0]), torch.tanh(features[:, 1]))


class FourAtOnce(WithoutOffsets):
    """Made for four groups, which its TorchScript does not tell."""

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        features = self.first(diffraction.reshape(4, 4, 16, 16))
        return torch.polar(torch.sigmoid(features[:, 0]), torch.tanh(features[:, 1]))


class FourMixed(WithoutOffsets):
    """Made for four groups, of which each depends on all."""

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        features = self.first(diffraction.reshape(4, 4, 16, 16))
        features = features / features.abs().mean()
        return torch.polar(torch.sigmoid(features[:, 0]), torch.tanh(features[:, 1]))


class DropoutLeftOn(WithoutOffsets):
    """Exported while it was being trained."""

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        features = torch.nn.functional.dropout(self.first(diffraction), 0.5, training=True)
        return torch.polar(torch.sigmoid(features[:, 0]), torch.tanh(features[:, 1]))


class Counter(WithoutOffsets):
    """Counts its calls, and adds their number to the phase."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        features = self.first(diffraction)
        return torch.polar(torch.sigmoid(features[:, 0]), features[:, 1] + self.calls)


class HalfSize(WithoutOffsets):
    """Patches with half as many pixels on a side as the diffraction."""

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        features = torch.nn.functional.avg_pool2d(self.first(diffraction), 2)
        return torch.polar(torch.sigmoid(features[:, 0]), torch.tanh(features[:, 1]))


class FourPatches(WithoutOffsets):
    """One patch per member instead of one per group."""

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        return torch.complex(diffraction, diffraction)


class Hungry(WithoutOffsets):
    """Wants a petabyte."""

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        return torch.zeros(diffraction.shape[0], 1 << 24, 1 << 24)


def torch_bundle(path: Path, state: dict[str, torch.Tensor], **parameters: object) -> Path:
    """Write a bundle as upstream's PyTorch code does: state dicts, pickled parameters."""
    weights = io.BytesIO()
    torch.save(state, weights)
    named = {"intensity_scale": 1.0, "_version": "2.0-pytorch", **parameters}
    members: dict[str, bytes] = {
        "manifest.dill": pickle.dumps({"models": [*ROLES], "version": "2.0-pytorch"})
    }
    for role in ROLES:
        members[f"{role}/model.pth"] = weights.getvalue()
        members[f"{role}/params.dill"] = pickle.dumps(named)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def example(network: torch.nn.Module, gridsize: int, batch: int) -> tuple[torch.Tensor, ...]:
    given = torch.rand(batch, gridsize**2, N, N), torch.rand(batch, gridsize**2, 2)
    return given if isinstance(network, Network) else given[:1]


def saved(
    network: torch.nn.Module, path: Path, gridsize: int = 2, batch: int | None = None
) -> Path:
    """Save as what *path*'s suffix asks for; *batch* fixes the batch of an exported program."""
    network = network.eval()
    if path.suffix == ".pth":
        torch.save(network.state_dict(), path)
    elif path.suffix == ".pt2":
        given = example(network, gridsize, batch or 5)
        free = None if batch else [{0: torch.export.Dim("batch")} for _ in given]
        torch.export.save(torch.export.export(network, given, dynamic_shapes=free), path)
    else:
        with warnings.catch_warnings():
            # TorchScript is deprecated, and many people still have such files.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.script(network).save(path)
    return path

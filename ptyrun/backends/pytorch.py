"""How does PyTorch predict patches?

Takes ``torch.export`` programs (``.pt2``), TorchScript, and state dicts with a factory. A
network gets, channel first,

- diffraction (B, C, N, N) float32, normalised amplitudes, and, if it has a second input,
- local offsets (B, C, 2) float32 in pixels: last axis [x, y], minus the position of each
  member from its group's mean (upstream's sign).

It gives complex patches (B, N, N) or (B, 1, N, N); or amplitude and phase: two real outputs
of that shape, matched by name or else in this order, or one real output (B, 2, N, N).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ptyrun.backends.fixed_batch import FixedBatch, n_threads, prepare
from ptyrun.backends.outputs import amplitude_and_phase, amplitude_doubts, channels, parts
from ptyrun.backends.probing import Predict
from ptyrun.backends.pytorch_networks import Network, load_network
from ptyrun.errors import ModelError, PredictionError
from ptyrun.models.files import locate
from ptyrun.models.halving import SMALLER_BATCH
from ptyrun.models.inputs import OFFSETS
from ptyrun.models.predictors import ModelRequest, PredictorOutOfMemoryError, check_request
from ptyrun.models.synthetic_groups import synthetic_groups
from ptyrun.texts import counted


class PyTorchPredictor(FixedBatch):
    """A network run by PyTorch at one fixed batch shape."""

    @classmethod
    def open(cls, request: ModelRequest) -> Self:
        """Load the model and run it once; ModelError when it does not suit the request."""
        _configure_runtime()
        model = locate(request.path)
        card = check_request(model, request)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = load_network(model, request, device)

        def compiled(batch: int) -> Predict:
            return _predict(network, batch, device)

        batch_items, predict, notes = prepare(compiled, card, request, foreign=True)
        card = replace(
            card,
            takes_offsets=OFFSETS in network.roles,
            notes=card.notes
            + network.notes
            + notes
            + _doubts(network, batch_items, request, device),
        )
        return cls(card, batch_items, request.patch_px, predict)

    def close(self) -> None:
        """Let go of the model and its memory."""
        super().close()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@cache
def _configure_runtime() -> None:
    """As many threads as there are cores to use; on a GPU kernels that repeat their bits."""
    torch.set_num_threads(n_threads())
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def _predict(network: Network, batch: int, device: torch.device) -> Predict:
    call = _call(network, device)

    def predict(
        diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        with torch.inference_mode(), _plain_errors(batch):
            patches = as_patches(call(diffraction, local_offsets_px))
            return cast("NDArray[np.complex64]", patches.to(torch.complex64).cpu().numpy())

    return predict


def _doubts(
    network: Network, batch: int, request: ModelRequest, device: torch.device
) -> tuple[str, ...]:
    given = synthetic_groups(batch, request.patch_px, request.gridsize)
    with torch.inference_mode(), _plain_errors(batch):
        found = as_polar(_call(network, device)(*given))
        return amplitude_doubts(None if isinstance(found, torch.Tensor) else found[0].cpu().numpy())


def _call(
    network: Network, device: torch.device
) -> Callable[[NDArray[np.float32], NDArray[np.float32]], Any]:
    inputs = [*zip(network.roles, network.dtypes, strict=True)]

    def call(diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]) -> Any:
        # A view with channels innermost is PyTorch's channels_last: no copy.
        known = (
            torch.from_numpy(diffraction).to(device).permute(0, 3, 1, 2),
            torch.from_numpy(_offsets(local_offsets_px)).to(device),
        )
        return network.call(*(known[role].to(dtype) for role, dtype in inputs))

    return call


def _offsets(local_offsets_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, 1, 2, C) to (B, C, 2); zeros where a group is one pattern."""
    offsets = np.ascontiguousarray(local_offsets_px[:, 0].transpose(0, 2, 1))
    return offsets if offsets.shape[1] > 1 else np.zeros_like(offsets)


def as_patches(outputs: Any) -> torch.Tensor:
    """Complex patches (B, N, N) from what a network gave; errors as of `as_polar`."""
    patches = as_polar(outputs)
    return patches if isinstance(patches, torch.Tensor) else torch.polar(*patches)


def as_polar(outputs: Any) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
    """Complex patches (B, N, N), or amplitudes and phases, from what a network gave.

    Raises
    ------
    ModelError
        If it is neither complex patches nor amplitude and phase, one per group.
    """
    tensors, names, ordered = parts(outputs)
    if not all(isinstance(tensor, torch.Tensor) for tensor in tensors):
        tensors, names = [], []
    n_complex = sum(tensor.is_complex() for tensor in tensors)
    images = [_single_channel(tensor) for tensor in tensors]
    if len(tensors) == n_complex == 1 and images[0] is not None:
        return images[0]
    if len(tensors) == 1 and n_complex == 0 and tensors[0].shape[1:2] == (2,):
        first, second = channels(names[0])
        return tensors[0][:, first].float(), tensors[0][:, second].float()
    if len(images) == 2 and n_complex == 0:
        amplitude, phase = (images[i] for i in amplitude_and_phase(names, ordered=ordered))
        if amplitude is not None and phase is not None:
            return amplitude.float(), phase.float()
    described = ", ".join(
        f"{tuple(tensor.shape)} {'complex' if tensor.is_complex() else 'real'}"
        for tensor in tensors
    )
    raise ModelError(
        f"the network gives {described or type(outputs).__name__}",
        why="one patch per group is complex (B, N, N) or (B, 1, N, N), or amplitude and phase",
        do="export the network with such an output",
    )


def _single_channel(tensor: torch.Tensor) -> torch.Tensor | None:
    if tensor.ndim == 4 and tensor.shape[1] == 1:
        return tensor[:, 0]
    return tensor if tensor.ndim == 3 else None


@contextmanager
def _plain_errors(batch: int) -> Iterator[None]:
    """Turn PyTorch's errors into ptyrun's."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(batch, error) from error
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError) as error:
        # The CPU's allocator has no class of its own.
        if "can't allocate memory" in str(error) or "not enough memory" in str(error):
            raise _out_of_memory(batch, error) from error
        raise PredictionError(
            f"the network failed at {counted(batch, 'group')}",
            # TorchScript says where first, and what went wrong last.
            why=(str(error).strip().splitlines() or [type(error).__name__])[-1][:400],
            do="check that the model suits this patch size, gridsize and batch",
        ) from error


def _out_of_memory(batch: int, error: BaseException) -> PredictorOutOfMemoryError:
    lines = str(error).splitlines() or [type(error).__name__]
    return PredictorOutOfMemoryError(
        f"PyTorch ran out of memory at {counted(batch, 'group')}",
        why=lines[0],
        do=SMALLER_BATCH,
    )

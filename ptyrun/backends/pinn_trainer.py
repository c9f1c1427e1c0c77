"""How does the reference physics-informed network learn? From diffraction alone, with PyTorch."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ptyrun.backends.pinn_network import UnrolledPinn
from ptyrun.host import durable
from ptyrun.training.order import one_cycle, steps_per_epoch
from ptyrun.training.settings import number, refuse_unknown
from ptyrun.training.trainers import OWN, State, TrainingRequest

WARM_UP = 0.15
BETA_2, EPSILON = 0.999, 1e-8
DEFAULTS = OWN["pinn.pt2"].settings
STEP, RANDOM = "step", "random"
MOMENTS = ("exp_avg", "exp_avg_sq")

# Before CUDA's first use: without it cuBLAS sums in an order of its own.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


class PinnTrainer:
    """Trains `UnrolledPinn` by Adam: the residual of the measured amplitudes is minimised.

    Settings: ``stages`` and ``width`` of the network, ``batch_groups``, ``learning_rate``.
    """

    figures = ("unexplained",)  # part of the measured energy
    identity = f"torch {torch.__version__}"

    def __init__(self, request: TrainingRequest) -> None:
        settings, examples = request.settings, request.examples
        refuse_unknown(settings, DEFAULTS)
        self._rate = number(settings, "learning_rate", DEFAULTS["learning_rate"])
        stages, width, batch = (
            int(number(settings, name, int(DEFAULTS[name])))
            for name in ("stages", "width", "batch_groups")
        )
        self._was_deterministic = torch.are_deterministic_algorithms_enabled()
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(request.threads)
        torch.manual_seed(request.seed)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.n_items = examples.n_groups
        self.batch_items = min(batch, self.n_items)
        self._total = request.epochs * steps_per_epoch(self.n_items, self.batch_items)
        self._step = 0
        # Channel first, as networks of PyTorch have it.
        self._diffraction = torch.from_numpy(examples.diffraction).permute(0, 3, 1, 2).contiguous()
        offsets = examples.local_offsets_px[:, 0].transpose(0, 2, 1)
        self._offsets = torch.from_numpy(np.ascontiguousarray(offsets))
        probe = torch.from_numpy(np.ascontiguousarray(examples.probe))
        self._network = UnrolledPinn(probe, stages, width).to(self._device)
        self._optimizer = torch.optim.Adam(self._network.parameters(), self._rate, eps=EPSILON)

    @classmethod
    def open(cls, request: TrainingRequest) -> Self:
        """Make the network with weights drawn from the seed."""
        return cls(request)

    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        """Learn from groups once; the part of their energy that was unexplained before."""
        rate, beta_1 = one_cycle(self._step, self._total, WARM_UP)
        for group in self._optimizer.param_groups:
            group["lr"], group["betas"] = rate * self._rate, (beta_1, BETA_2)
        given = self._given(items)
        loss = self._network.residual(self._network(*given), *given)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._step += 1
        return (loss.item(),)

    def state(self) -> State:
        """Weights, Adam's two moments of each, the number of steps, the random state."""
        found = {f"weight/{n}": _array(t) for n, t in self._network.state_dict().items()}
        for name, parameter in self._network.named_parameters():
            moments = self._optimizer.state.get(parameter, {})
            for moment in MOMENTS:
                value = moments.get(moment, torch.zeros_like(parameter))
                found[f"{moment}/{name}"] = _array(value)
        found[STEP] = np.array(self._step, np.int64)
        found[RANDOM] = _array(torch.get_rng_state())
        # Complex numbers as pairs: the file knows no others.
        return {
            name: array.view(np.float32) if array.dtype == np.complex64 else array
            for name, array in found.items()
        }

    def restore(self, state: State) -> None:
        """Take on a state; ValueError where it is another network's."""
        own = self.state()
        shapes = {name: (array.shape, array.dtype) for name, array in own.items()}
        if shapes != {name: (array.shape, array.dtype) for name, array in state.items()}:
            raise ValueError("its arrays are those of another network")
        tensors = self._network.state_dict()
        weights = {}
        for name, tensor in tensors.items():
            array = state[f"weight/{name}"]
            weights[name] = _tensor(array.view(np.complex64) if tensor.is_complex() else array)
        self._network.load_state_dict(weights)
        self._step = int(state[STEP])
        self._optimizer.state.clear()
        if self._step:
            for name, parameter in self._network.named_parameters():
                moments = {
                    moment: _tensor(state[f"{moment}/{name}"]).to(self._device)
                    for moment in MOMENTS
                }
                done = torch.tensor(float(self._step))
                self._optimizer.state[parameter] = {"step": done, **moments}
        torch.set_rng_state(_tensor(state[RANDOM]))

    def predict(self, items: NDArray[np.int64]) -> NDArray[np.complex64]:
        """Give the patches of groups."""
        with torch.inference_mode():
            patches = self._network(*self._given(items))
        return cast("NDArray[np.complex64]", patches.cpu().numpy())

    def save(self, path: Path) -> None:
        """Write a ``torch.export`` program for batches of any size, on disk for good."""
        network = self._network.eval().cpu()
        given = self._diffraction[:2].clone(), self._offsets[:2].clone()
        batch = torch.export.Dim("batch")
        program = torch.export.export(network, given, dynamic_shapes=({0: batch}, {0: batch}))
        file = io.BytesIO()
        torch.export.save(program, file)
        durable.write_atomic(path, file.getvalue())
        network.to(self._device)

    def close(self) -> None:
        """Leave PyTorch as it was."""
        torch.use_deterministic_algorithms(self._was_deterministic)

    def _given(self, items: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        rows = torch.from_numpy(np.array(items))
        return self._diffraction[rows].to(self._device), self._offsets[rows].to(self._device)


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy().copy()


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(array.copy())

"""How does a PyTorch model on disk become a function of diffraction and offsets?"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ptyrun.errors import ModelError
from ptyrun.models.files import ModelFile, ModelKind
from ptyrun.models.predictors import ModelRequest


@dataclass(frozen=True)
class Network:
    """A loaded network and how many inputs it takes (1: diffraction; 2: offsets too)."""

    call: Callable[..., Any]
    n_inputs: int


def load_network(model: ModelFile, request: ModelRequest, device: torch.device) -> Network:
    """Load a model for inference.

    Raises
    ------
    ModelError
        If it is damaged, could run code, or takes inputs that ptyrun does not know.
    """
    network = LOADERS[model.kind](model.path, request, device)
    if network.n_inputs not in (1, 2):
        raise ModelError(
            f"{model.path.name} takes {network.n_inputs} inputs",
            why="a predictor takes diffraction, or diffraction and local offsets",
            do="export the network with these inputs",
        )
    return network


def _exported(path: Path, request: ModelRequest, device: torch.device) -> Network:
    with _model_errors(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.load(path)
        module = program.module().to(device)
    return Network(module, len(program.graph_signature.user_inputs))


def _torchscript(path: Path, request: ModelRequest, device: torch.device) -> Network:
    with _model_errors(path), warnings.catch_warnings():
        # TorchScript is deprecated in favour of torch.export; its files are still around.
        warnings.simplefilter("ignore")
        module = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]
        module.eval()
        arguments = module.forward.schema.arguments[1:]
    return Network(module, sum(1 for argument in arguments if not argument.has_default_value()))


def _state_dict(path: Path, request: ModelRequest, device: torch.device) -> Network:
    module = _made_by(request.options["factory"])
    with _model_errors(path):
        state = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(_unwrapped(state))
    module.to(device).eval()
    parameters = inspect.signature(module.forward).parameters.values()
    return Network(module, sum(1 for p in parameters if p.default is p.empty and _is_given(p)))


def _is_given(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)


def _unwrapped(state: Any) -> Any:
    """Give the state dict itself where a training checkpoint holds it under a name."""
    inner = state.get("state_dict") if isinstance(state, dict) else None
    return inner if isinstance(inner, dict) else state


def _made_by(factory: str) -> torch.nn.Module:
    """Call the user's ``module:callable``; a file beside the model is never asked."""
    module_name, name = factory.split(":", 1)
    try:
        network = getattr(importlib.import_module(module_name), name)()
    except Exception as error:  # the user's code may raise anything
        raise ModelError(
            f"the factory {factory} failed",
            why=f"{type(error).__name__}: {error}",
            do="give factory=module:callable of an installed module, without arguments",
        ) from error
    if not isinstance(network, torch.nn.Module):
        raise ModelError(
            f"the factory {factory} gave a {type(network).__name__}",
            why="it must give a torch.nn.Module",
            do="correct the factory",
        )
    return network


@contextmanager
def _model_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # PyTorch raises whatever the malformed part provokes
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"PyTorch cannot load {path.name}",
            why=f"{type(error).__name__}: {' '.join(lines[:4])[:400]}",
            do="save the model again, or correct the factory",
        ) from error


LOADERS: Mapping[ModelKind, Callable[[Path, ModelRequest, torch.device], Network]] = {
    ModelKind.EXPORTED: _exported,
    ModelKind.TORCHSCRIPT: _torchscript,
    ModelKind.STATE_DICT: _state_dict,
}

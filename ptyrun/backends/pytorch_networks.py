"""How does a PyTorch model on disk become a function of diffraction and offsets?"""

from __future__ import annotations

import importlib
import inspect
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ptyrun.backends.torch_weights import fill, unpickled, weights_in
from ptyrun.errors import ModelError, PredictorUnavailableError, PtyrunError
from ptyrun.models.bundles import BundleReader
from ptyrun.models.files import ModelFile
from ptyrun.models.inputs import NetworkInput, require_floats, roles
from ptyrun.models.kinds import ModelKind
from ptyrun.models.predictors import ModelRequest


@dataclass(frozen=True)
class Network:
    """A loaded network.

    ``roles`` tell for each input whether it is diffraction or offsets, ``dtypes`` how wide its
    numbers are.
    """

    call: Callable[..., Any]
    roles: tuple[int, ...]
    dtypes: tuple[torch.dtype, ...]
    notes: tuple[str, ...] = ()


def load_network(model: ModelFile, request: ModelRequest, device: torch.device) -> Network:
    """Load a model for inference.

    Raises
    ------
    ModelError
        If it is damaged, could run code, or takes inputs that ptyrun does not know.
    """
    return LOADERS[model.kind](model.path, request, device)


def _network(
    call: Callable[..., Any],
    inputs: Sequence[NetworkInput],
    default: torch.dtype,
    path: Path,
    notes: tuple[str, ...] = (),
) -> Network:
    require_floats(inputs, path.name)
    kinds, note = roles(inputs, path.name, ordered=True)
    dtypes = tuple(getattr(torch, each.dtype) if each.dtype else default for each in inputs)
    return Network(call, kinds, dtypes, (*notes, *([note] if note else [])))


def _exported(path: Path, request: ModelRequest, device: torch.device) -> Network:
    with _model_errors(path), warnings.catch_warnings(), _without_logging("torch"):
        warnings.simplefilter("ignore")
        program = torch.export.load(path)
        module = program.module().to(device)
    inputs = [_placeholder(program, str(name)) for name in program.graph_signature.user_inputs]
    return _network(module, inputs, torch.float32, path)


def _placeholder(program: torch.export.ExportedProgram, name: str) -> NetworkInput:
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name == name:
            value = node.meta.get("val")
            if isinstance(value, torch.Tensor):
                shape = tuple(size if isinstance(size, int) else None for size in value.shape)
                return NetworkInput(name, shape, _spelt(value.dtype))
    return NetworkInput(name)


def _spelt(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _torchscript(path: Path, request: ModelRequest, device: torch.device) -> Network:
    with _model_errors(path), warnings.catch_warnings():
        # TorchScript is deprecated in favour of torch.export; its files are still around.
        warnings.simplefilter("ignore")
        module = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]
        module.eval()
        arguments = module.forward.schema.arguments[1:]
    given = [each for each in arguments if not each.has_default_value()]
    inputs = [NetworkInput(str(each.name)) for each in given]
    return _network(module, inputs, _dtype_of(module), path)


def _state_dict(path: Path, request: ModelRequest, device: torch.device) -> Network:
    return _filled(lambda: unpickled(path, path.name), path, request, device)


def _safetensors(path: Path, request: ModelRequest, device: torch.device) -> Network:
    return _filled(lambda: _loaded(path), path, request, device)


def _loaded(path: Path) -> Any:
    try:
        from safetensors.torch import load_file  # an extra
    except ImportError as error:
        raise PredictorUnavailableError(
            f"{path.name} cannot be read without the package safetensors",
            why=str(error),
            do="pip install 'ptyrun[safetensors]'",
        ) from error
    return load_file(path)


def _bundle(path: Path, request: ModelRequest, device: torch.device) -> Network:
    with BundleReader(path) as reader:
        content = reader.torch_weights()
    return _filled(lambda: unpickled(content, path.name), path, request, device)


def _filled(
    read: Callable[[], Any], path: Path, request: ModelRequest, device: torch.device
) -> Network:
    """Make the network with the user's factory, and fill it with weights."""
    module = _made_by(request.options["factory"])
    with _model_errors(path):
        state, notes = weights_in(read(), path.name)
        notes += fill(module, state, path.name)
    module.to(device).eval()
    parameters = inspect.signature(module.forward).parameters.values()
    given = [each for each in parameters if each.default is each.empty and _is_given(each)]
    inputs = [NetworkInput(each.name) for each in given]
    return _network(module, inputs, _dtype_of(module), path, notes)


def _dtype_of(module: Any) -> torch.dtype:
    """How wide the numbers of a network are; its first floating-point weights tell."""
    for tensors in (module.parameters(), module.buffers()):
        for tensor in tensors:
            if tensor.is_floating_point():
                # Weights of 8 bits are for storage; what computes with them takes wider ones.
                return tensor.dtype if tensor.itemsize > 1 else torch.float32
    return torch.float32


def _is_given(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)


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
def _without_logging(name: str) -> Iterator[None]:
    """Keep a library's advice to programmers off the terminal."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _model_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except PtyrunError:
        raise
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
    ModelKind.SAFETENSORS: _safetensors,
    ModelKind.TORCH_BUNDLE: _bundle,
}

"""What does a model file say of itself, before any framework is imported?"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py

from ptyrun.errors import ModelError
from ptyrun.host.remembered import identity
from ptyrun.models.archives import MAX_WEIGHTS_BYTES, SafeArchive, require_hdf5, require_hdf5_member
from ptyrun.models.bundles import PYTORCH_VERSION, BundleReader
from ptyrun.models.contents import OLD_PROGRAM
from ptyrun.models.files import ModelCard, ModelFile, forbidden
from ptyrun.models.inputs import NetworkInput, card_of
from ptyrun.models.keras_configs import MAX_SHOWN, strange_parts
from ptyrun.models.kinds import ModelKind
from ptyrun.models.onnx_files import read_onnx
from ptyrun.models.pickles import class_of_whole_network
from ptyrun.models.saved_models import saved_inputs
from ptyrun.texts import enumerated

FRESH_NS = 10**9
FIRST, LAST = 1, 3  # of the axis of channels
# In memory JSON takes thirty times as much, at worst. Of thousands of operators it is some MB.
MAX_DESCRIPTION_BYTES = 32 << 20
# All that Keras writes for networks of plain layers.
WEIGHTS = "model.weights.h5"
KERAS_MEMBERS = frozenset({"metadata.json", "config.json", WEIGHTS})
MAX_NESTING = 4  # of the names of inputs
# ScalarType in torch/_export/serde/schema.py.
TORCH_DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
    8: "float64", 9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
    28: "uint16",
}  # fmt: skip


def inspect(model: ModelFile) -> ModelCard:
    """Read what the model says of itself.

    Parameters
    ----------
    model : ModelFile
        The model as it was found; nothing of it is run.

    Returns
    -------
    ModelCard
        None in each field that the file does not tell.

    Raises
    ------
    ModelError
        If the file is damaged, or contradicts the ``model.json`` beside it.
    """
    card = _card(model.kind, model.path)
    return ModelCard(
        patch_px=_agreed(model, "patch_px", card.patch_px, model.patch_px),
        gridsize=_agreed(model, "gridsize", card.gridsize, model.gridsize),
        takes_offsets=card.takes_offsets,
        description=card.description,
        notes=model.notes + card.notes,
        batch_items=card.batch_items,
    )


def _card(kind: ModelKind, path: Path) -> ModelCard:
    if not path.is_file():
        return _read(kind, path)
    _require_readable(path)
    found = path.stat()
    # What was written just now may be written again within one tick of the file system's clock.
    if time.time_ns() - found.st_ctime_ns < FRESH_NS:
        return _read(kind, path)
    return _read_once(kind, path, identity(found))


def _read(kind: ModelKind, path: Path) -> ModelCard:
    reader = READERS.get(kind)
    return reader(path) if reader else ModelCard(None, None, None, description=str(kind))


@lru_cache(maxsize=64)
def _read_once(kind: ModelKind, path: Path, identity: str) -> ModelCard:
    """Read a file that stays as it is only once in a process: planning and opening ask alike."""
    return _read(kind, path)


def _require_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise _refusal(path, error) from error


def _agreed(model: ModelFile, field: str, found: int | None, declared: int | None) -> int | None:
    if found is not None and declared is not None and found != declared:
        raise ModelError(
            f"model.json declares {field} {declared} for {model.path.name}",
            why=f"the file itself says {found}",
            do="correct model.json",
        )
    return declared if found is None else found


def _bundle_card(path: Path) -> ModelCard:
    with BundleReader(path) as reader:
        version = reader.version()
        if version == PYTORCH_VERSION and not reader.has_torch_weights():
            raise _unreadable(path, f"version {version!r} has state dicts, and there is none")
        parameters = reader.parameters()
    return ModelCard(
        patch_px=parameters.patch_px,
        gridsize=parameters.gridsize,
        takes_offsets=True,
        description=f"upstream bundle, version {version}",
    )


def _keras_card(path: Path) -> ModelCard:
    with SafeArchive(path, path.name) as archive:
        config = _parsed(archive.read("config.json", MAX_DESCRIPTION_BYTES), path)
        _require_plain(config, path)
        if others := set(archive.names()) - KERAS_MEMBERS:
            raise _unreadable(
                path, f"no network needs {enumerated(sorted(others))}, which it holds"
            )
        if WEIGHTS in archive.names():
            try:
                require_hdf5_member(archive, WEIGHTS, MAX_WEIGHTS_BYTES)
            except OSError as error:  # no room for a copy of it
                raise _refusal(path, error) from error
    return card_of(keras_inputs(config), str(ModelKind.KERAS), LAST, path.name)


def _keras_h5_card(path: Path) -> ModelCard:
    try:
        require_hdf5(path, path.name)
        with h5py.File(path) as file:
            text = file.attrs.get("model_config")
    except OSError as error:
        raise _refusal(path, error) from error
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if text is None:
        raise _unreadable(path, "it has no attribute model_config: weights alone, or no model")
    config = _parsed(text, path)
    _require_plain(config, path)
    inputs = keras_inputs(config)
    return card_of(inputs, str(ModelKind.KERAS_H5), LAST, path.name)


def _require_plain(config: Mapping[str, Any], path: Path) -> None:
    if strange := strange_parts(config):
        more = len(strange) - MAX_SHOWN
        raise ModelError(
            f"{path.name} has layers or parts that ptyrun does not know",
            why=f"unknown: {', '.join(strange[:MAX_SHOWN])}"
            + f" and {more} more" * (more > 0)
            + "; such may hold code or open files, and Keras would let them",
            do="save the model without Lambda layers and custom classes, or as a SavedModel "
            "(model.export), which runs where --trust-model names its arm",
        )


def keras_inputs(config: Mapping[str, Any]) -> tuple[NetworkInput, ...]:
    """Inputs of a functional or sequential Keras model, in the order of its call."""
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not isinstance(layers, list):
        return ()
    found = {each.name: each for each in _input_layers(layers)}
    order = [name for name in _names(inner.get("input_layers")) if name in found]
    return tuple(found[name] for name in order or found)


def _input_layers(layers: list[Any]) -> Iterator[NetworkInput]:
    for layer in layers:
        settings = layer.get("config") if isinstance(layer, dict) else None
        if isinstance(settings, dict) and layer.get("class_name") == "InputLayer":
            shape = settings.get("batch_shape", settings.get("batch_input_shape"))
            dtype = settings.get("dtype")
            if isinstance(shape, list):
                yield NetworkInput(
                    str(settings.get("name")),
                    tuple(map(_size, shape)),
                    dtype if isinstance(dtype, str) else "",
                )


def _names(spec: Any, depth: int = 0) -> list[str]:
    """Layer names of a Keras input specification: ``["a", 0, 0]`` or a list of such."""
    if not isinstance(spec, list) or not spec or depth > MAX_NESTING:
        return []
    if isinstance(spec[0], str):
        return [spec[0]]
    return [name for one in spec for name in _names(one, depth + 1)]


def _exported_card(path: Path) -> ModelCard:
    with SafeArchive(path, path.name) as archive:
        programs = [
            name
            for name in archive.names()
            if name.endswith("/models/model.json") or name.rpartition("/")[2] == OLD_PROGRAM
        ]
        if len(programs) != 1:
            raise _unreadable(path, "it holds no exported program called model, or several")
        program = _parsed(archive.read(programs[0], MAX_DESCRIPTION_BYTES), path)
    return card_of(exported_inputs(program), str(ModelKind.EXPORTED), FIRST, path.name)


def exported_inputs(program: Mapping[str, Any]) -> tuple[NetworkInput, ...]:
    """The user's inputs of a ``torch.export`` program."""
    try:
        graph = program["graph_module"]
        values = graph["graph"]["tensor_values"]
        names = [
            spec["user_input"]["arg"]["as_tensor"]["name"]
            for spec in graph["signature"]["input_specs"]
            if "user_input" in spec
        ]
        return tuple(
            NetworkInput(
                str(name),
                tuple(_size(size.get("as_int")) for size in values[name]["sizes"]),
                TORCH_DTYPES.get(values[name].get("dtype"), ""),
            )
            for name in names
        )
    except (KeyError, TypeError, AttributeError):
        return ()


def _torchscript_card(path: Path) -> ModelCard:
    if not zipfile.is_zipfile(path):
        raise _unreadable(path, "a TorchScript file is a zip archive, and this is not one")
    with SafeArchive(path, path.name):
        pass
    return ModelCard(None, None, None, description=str(ModelKind.TORCHSCRIPT))


def _state_dict_card(path: Path) -> ModelCard:
    if network := class_of_whole_network(path):
        raise ModelError(
            f"{path.name} holds a whole network, not its weights",
            why=f"it was pickled with the code that it needs ({network:.80}), which would be run "
            "to read it",
            do="save its weights alone: torch.save(network.state_dict(), ...)",
        )
    return ModelCard(None, None, None, description=str(ModelKind.STATE_DICT))


def _saved_model_card(path: Path) -> ModelCard:
    # TensorFlow would prefer it to saved_model.pb, which is what is looked at here.
    if (path / "saved_model.cpb").exists():
        raise _unreadable(path, "it is split into chunks (saved_model.cpb)")
    inputs = saved_inputs(path / "saved_model.pb")
    return card_of(inputs, str(ModelKind.SAVED_MODEL), LAST, path.name)


def _onnx_card(path: Path) -> ModelCard:
    graph = read_onnx(path)
    return card_of(graph.inputs, str(ModelKind.ONNX), graph.channel_axis or FIRST, path.name)


def _safetensors_card(path: Path) -> ModelCard:
    # An 8-byte length, then so much JSON: https://huggingface.co/docs/safetensors.
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 0 < size <= min(MAX_DESCRIPTION_BYTES, path.stat().st_size - 8):
            raise _unreadable(path, "its header does not fit into it: it is not a safetensors file")
        _parsed(file.read(size), path)
    return ModelCard(None, None, None, description=str(ModelKind.SAFETENSORS))


def _size(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _parsed(text: Any, path: Path) -> dict[str, Any]:
    try:
        if len(text) > MAX_DESCRIPTION_BYTES:
            raise ValueError(f"its description is longer than {MAX_DESCRIPTION_BYTES} bytes")
        document = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(document, dict):
        raise _unreadable(path, "its description is not a JSON object")
    return document


def _refusal(path: Path, error: OSError) -> ModelError:
    if isinstance(error, PermissionError):
        return forbidden(path, error)
    return _unreadable(path, str(error))


def _unreadable(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{path.name} cannot be read as a model",
        why=why,
        do="save the model again, or name another",
    )


READERS: Mapping[ModelKind, Callable[[Path], ModelCard]] = {
    ModelKind.BUNDLE: _bundle_card,
    ModelKind.TORCH_BUNDLE: _bundle_card,
    ModelKind.KERAS: _keras_card,
    ModelKind.KERAS_H5: _keras_h5_card,
    ModelKind.EXPORTED: _exported_card,
    ModelKind.SAVED_MODEL: _saved_model_card,
    ModelKind.TORCHSCRIPT: _torchscript_card,
    ModelKind.STATE_DICT: _state_dict_card,
    ModelKind.SAFETENSORS: _safetensors_card,
    ModelKind.ONNX: _onnx_card,
}

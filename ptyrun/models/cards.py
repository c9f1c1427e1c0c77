"""What does a model file say of itself, before any framework is imported?"""

from __future__ import annotations

import json
import math
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py

from ptyrun.errors import ModelError
from ptyrun.host.remembered import identity
from ptyrun.models.archives import MAX_WEIGHTS_BYTES, SafeArchive, require_hdf5
from ptyrun.models.bundles import PYTORCH_VERSION, BundleReader
from ptyrun.models.files import ModelCard, ModelFile, ModelKind, forbidden
from ptyrun.models.saved_models import input_shapes

Shape = Sequence[int | None]
FRESH_NS = 10**9


@dataclass(frozen=True)
class InputShapes:
    """Shapes of a network's inputs, batch axis first; None where free."""

    shapes: tuple[tuple[int | None, ...], ...]
    channel_axis: int

    def card(self, description: str) -> ModelCard:
        """Read patch size, gridsize and inputs from the shapes."""
        images = [shape for shape in self.shapes if len(shape) == 4 and not _is_offsets(shape)]
        image = images[0] if images else (None,) * 4
        channels = image[self.channel_axis]
        return ModelCard(
            patch_px=image[2],
            gridsize=None if channels is None else _gridsize(channels, description),
            takes_offsets=len(self.shapes) > 1 if self.shapes else None,
            description=description,
            batch_items=image[0],
        )


def inspect(model: ModelFile) -> ModelCard:
    """Read what the model says of itself.

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
        if version == PYTORCH_VERSION:
            raise ModelError(
                f"{path.name} is a bundle of PyTorch networks (version {version!r})",
                why="it holds weights whose network exists only as code of upstream's package",
                do="export the network with torch.export.save and name the .pt2 file",
            )
        parameters = reader.parameters()
    return ModelCard(
        patch_px=parameters.patch_px,
        gridsize=parameters.gridsize,
        takes_offsets=True,
        description=f"upstream bundle, version {version}",
    )


def _keras_card(path: Path) -> ModelCard:
    with SafeArchive(path, path.name) as archive:
        config = _parsed(archive.read("config.json"), path)
        for name in archive.names():
            if name.endswith((".h5", ".hdf5")):
                require_hdf5(archive.read(name, MAX_WEIGHTS_BYTES), f"{path.name}/{name}")
    return InputShapes(keras_inputs(config), channel_axis=3).card(str(ModelKind.KERAS))


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
    shapes = keras_inputs(_parsed(text, path))
    return InputShapes(shapes, channel_axis=3).card(str(ModelKind.KERAS_H5))


def keras_inputs(config: Mapping[str, Any]) -> tuple[tuple[int | None, ...], ...]:
    """Shapes of the inputs of a functional or sequential Keras model, in the order of its call."""
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not isinstance(layers, list):
        return ()
    shapes = dict(_input_layers(layers))
    order = [name for name in _names(inner.get("input_layers")) if name in shapes]
    return tuple(shapes[name] for name in order or shapes)


def _input_layers(layers: Iterable[Any]) -> Iterable[tuple[str, tuple[int | None, ...]]]:
    for layer in layers:
        settings = layer.get("config") if isinstance(layer, dict) else None
        if isinstance(settings, dict) and layer.get("class_name") == "InputLayer":
            shape = settings.get("batch_shape", settings.get("batch_input_shape"))
            if isinstance(shape, list):
                yield str(settings.get("name")), tuple(_size(size) for size in shape)


def _names(spec: Any) -> list[str]:
    """Layer names of a Keras input specification: ``["a", 0, 0]`` or a list of such."""
    if not isinstance(spec, list) or not spec:
        return []
    return [spec[0]] if isinstance(spec[0], str) else [name for one in spec for name in _names(one)]


def _exported_card(path: Path) -> ModelCard:
    with SafeArchive(path, path.name) as archive:
        programs = [name for name in archive.names() if name.endswith("/models/model.json")]
        if len(programs) != 1:
            raise _unreadable(path, "it holds no exported program, or several")
        program = _parsed(archive.read(programs[0]), path)
    shapes = exported_inputs(program)
    return InputShapes(shapes, channel_axis=1).card(str(ModelKind.EXPORTED))


def exported_inputs(program: Mapping[str, Any]) -> tuple[tuple[int | None, ...], ...]:
    """Shapes of the user's inputs of a ``torch.export`` program."""
    try:
        graph = program["graph_module"]
        values = graph["graph"]["tensor_values"]
        names = [
            spec["user_input"]["arg"]["as_tensor"]["name"]
            for spec in graph["signature"]["input_specs"]
            if "user_input" in spec
        ]
        return tuple(
            tuple(_size(size.get("as_int")) for size in values[name]["sizes"]) for name in names
        )
    except (KeyError, TypeError, AttributeError):
        return ()


def _torchscript_card(path: Path) -> ModelCard:
    if not zipfile.is_zipfile(path):
        raise _unreadable(path, "a TorchScript file is a zip archive, and this is none")
    with SafeArchive(path, path.name):
        pass
    return ModelCard(None, None, None, description=str(ModelKind.TORCHSCRIPT))


def _state_dict_card(path: Path) -> ModelCard:
    if zipfile.is_zipfile(path):  # older PyTorch wrote no archives
        with SafeArchive(path, path.name):
            pass
    return ModelCard(None, None, None, description=str(ModelKind.STATE_DICT))


def _saved_model_card(path: Path) -> ModelCard:
    # TensorFlow would prefer it to saved_model.pb, which is what is looked at here.
    if (path / "saved_model.cpb").exists():
        raise _unreadable(path, "it is split into chunks (saved_model.cpb)")
    shapes = input_shapes(path / "saved_model.pb")
    return InputShapes(shapes, channel_axis=3).card(str(ModelKind.SAVED_MODEL))


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _is_offsets(shape: Shape) -> bool:
    return tuple(shape[1:3]) == (1, 2)


def _gridsize(channels: int, description: str) -> int:
    gridsize = math.isqrt(channels)
    if gridsize**2 != channels:
        raise ModelError(
            f"the model takes {channels} patterns at once",
            why=f"its {description} says so; a group has gridsize^2 = 1, 4, 9, ... patterns",
            do="give a model whose input has a square number of channels",
        )
    return gridsize


def _parsed(text: Any, path: Path) -> dict[str, Any]:
    try:
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
    ModelKind.KERAS: _keras_card,
    ModelKind.KERAS_H5: _keras_h5_card,
    ModelKind.EXPORTED: _exported_card,
    ModelKind.SAVED_MODEL: _saved_model_card,
    ModelKind.TORCHSCRIPT: _torchscript_card,
    ModelKind.STATE_DICT: _state_dict_card,
}

"""How does a bundle of upstream's become a Keras network, without upstream's package?"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptyrun.backends.quiet_tensorflow import keras
from ptyrun.backends.upstream_layers import LAYERS
from ptyrun.errors import ModelError
from ptyrun.models.archives import require_hdf5
from ptyrun.models.bundles import Bundle, ForeignBundleError
from ptyrun.models.keras_configs import MAX_SHOWN, classes_in, strange_parts


def build(bundle: Bundle) -> keras.Model:
    """Make the network: architecture from ``config.json``, weights from HDF5.

    Raises
    ------
    ForeignBundleError
        If a layer is unknown.
    ModelError
        If weights are missing, left over, or of another shape.
    """
    config = copy.deepcopy(dict(bundle.config))
    if unknown := strange_parts(config, _is_own):
        raise ForeignBundleError(
            f"the network {bundle.name} has layers that ptyrun does not know",
            why=f"unknown: {', '.join(unknown[:MAX_SHOWN])}",
            do="use --trust-model ARM with upstream's package installed",
        )
    _adopt(config)
    try:
        network = keras.Model.from_config(config["config"], custom_objects=dict(LAYERS))
    except Exception as error:  # Keras raises whatever the malformed part provokes
        raise ModelError(
            f"the network {bundle.name} cannot be built from its config.json",
            why=_cause(error),
            do="get an intact copy of the bundle",
        ) from error
    require_hdf5(bundle.weights_h5, "model.weights.h5")
    try:
        _load_weights(network, bundle.weights_h5)
    except (OSError, KeyError, RuntimeError, ValueError) as error:  # h5py's words for damage
        raise _bad_weights("model.weights.h5 cannot be read", str(error)) from error
    return network


def normalised_input(amplitudes: NDArray[np.float32], scale: float | None) -> NDArray[np.float32]:
    """Amplitudes as they reach the first convolution, rounded as upstream rounds them.

    Upstream multiplies by the intensity scale, and its first layer divides by it again. Both
    happen here, because TensorFlow would fold two constants in one graph into nothing, and a
    single unit in the last place grows to 3e-5 in the patches.
    """
    return amplitudes if scale is None else (amplitudes * np.float32(scale)) / np.float32(scale)


def _cause(error: Exception) -> str:
    """Cut what Keras wraps around the error of a layer."""
    text = str(error).rpartition("Exception encountered: ")[2].strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'no reason given'}"


def _is_own(part: dict[str, Any]) -> bool:
    """Whether it is a layer of upstream's that is one of ptyrun's as well."""
    module, name = str(part.get("module")), part["class_name"]
    return module.split(".")[0] == "ptycho" and isinstance(name, str) and name in LAYERS


def _adopt(config: Any) -> None:
    """Make upstream's layers ours."""
    for part in classes_in(config):
        if _is_own(part):
            part.update(module=None, registered_name=part["class_name"])


def _load_weights(network: keras.Model, weights_h5: bytes) -> None:
    """Fill the layers in order; Keras 3 names their groups by class and count."""
    with h5py.File(BytesIO(weights_h5)) as file:
        expected = set()
        for layer, group in _groups(network):
            values = _values(file, f"layers/{group}/vars")
            _check_shapes(layer, values)
            if values:
                layer.load_own_variables(values)
            expected |= {f"layers/{group}/vars/{key}" for key in values}
        left_over = sorted(set(_datasets(file)) - expected)
    if left_over:
        raise _bad_weights("there are weights that no layer takes", ", ".join(left_over[:8]))


def _values(file: h5py.File, name: str) -> dict[str, h5py.Dataset]:
    """Arrays of one group, by their keys; none where there is no such group."""
    group: Any = file
    for part in name.split("/"):
        if not isinstance(group, h5py.Group) or part not in group.keys():  # noqa: SIM118
            return {}
        group = group[part]
    return {key: group[key] for key in group.keys()}  # noqa: SIM118


def _groups(network: keras.Model) -> Iterator[tuple[keras.layers.Layer, str]]:
    counts: Counter[str] = Counter()
    for layer in network.layers:
        name = _snake_case(type(layer).__name__)
        yield layer, f"{name}_{counts[name]}" if counts[name] else name
        counts[name] += 1


def _snake_case(name: str) -> str:
    """Spell a class name as Keras does in its weight files: ``Conv2D`` is ``conv2d``."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _check_shapes(layer: keras.layers.Layer, values: dict[str, Any]) -> None:
    wanted = [tuple(weight.shape) for weight in layer.weights]
    stored = [getattr(values[key], "shape", None) for key in sorted(values, key=_as_number)]
    if wanted != stored:
        raise _bad_weights(
            f"layer {layer.name} needs weights of shapes {wanted}", f"stored are {stored}"
        )


def _as_number(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() else (1 << 30, key)


def _datasets(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
    return [name for name in names if not name.startswith("optimizer/")]


def _bad_weights(what: str, why: str) -> ModelError:
    return ModelError(
        f"the bundle's weights do not fit: {what}", why=why, do="get an intact copy of the bundle"
    )

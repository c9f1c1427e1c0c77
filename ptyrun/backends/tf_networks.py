"""How does a TensorFlow or Keras model on disk become a function of diffraction and offsets?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.backends.quiet_tensorflow import keras, tf
from ptyrun.backends.upstream import build, normalised_input
from ptyrun.backends.upstream_package import load_trusted
from ptyrun.errors import ModelError
from ptyrun.models.archives import SafeArchive
from ptyrun.models.bundles import BundleReader, ForeignBundleError
from ptyrun.models.files import ModelFile
from ptyrun.models.inputs import NetworkInput, require_floats, roles
from ptyrun.models.kinds import ModelKind
from ptyrun.models.predictors import ModelRequest

Amplitudes = NDArray[np.float32]

SIGNATURE = "serving_default"
# Keras layers that treat every element of the batch alone, at any axis that they are given.
PER_ELEMENT = (
    *("InputLayer", "Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"),
    *("MaxPooling2D", "AveragePooling2D", "UpSampling2D", "ZeroPadding2D", "Cropping2D"),
    *("GlobalAveragePooling2D", "GlobalMaxPooling2D", "BatchNormalization", "Dropout"),
    *("Activation", "ReLU", "LeakyReLU", "ELU", "Add", "Subtract", "Multiply", "Average"),
    *("Maximum", "Dense", "Flatten", "Reshape"),
)


@dataclass(frozen=True)
class Network:
    """A loaded network.

    ``call`` takes diffraction (B, N, N, C) and local offsets (B, 1, 2, C) and gives whatever the
    network gives. ``foreign`` networks are not trusted to keep the groups of a batch apart.
    ``output_names`` are those of a list of outputs, as far as the network has names.
    ``scaled`` brings normalised amplitudes to the scale that ``call`` expects. ``is_doubtful`` are
    networks whose amplitude nothing vouches for.
    """

    call: Callable[[tf.Tensor, tf.Tensor], Any]
    foreign: bool
    scaled: Callable[[Amplitudes], Amplitudes] = lambda amplitudes: amplitudes
    notes: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    is_doubtful: bool = True


def load_network(model: ModelFile, request: ModelRequest) -> Network:
    """Load a model.

    Raises
    ------
    ModelError
        If it is damaged, holds code, or takes inputs that ptyrun does not know.
    """
    return LOADERS[model.kind](model.path, request)


def _from_bundle(path: Path, request: ModelRequest) -> Network:
    with BundleReader(path) as reader:
        try:
            bundle = reader.load()
            network, scale = build(bundle), bundle.parameters.intensity_scale
        except ForeignBundleError:
            if not request.trusted:
                raise
            return _from_upstream(path, reader.parameters().intensity_scale)
    return Network(
        lambda diffraction, offsets: network([diffraction, offsets], training=False),
        foreign=False,
        scaled=lambda amplitudes: normalised_input(amplitudes, scale),
        output_names=_output_names(network),
        is_doubtful=False,
    )


def _from_upstream(path: Path, scale: float | None) -> Network:
    network = load_trusted(path)
    factor = np.float32(1.0 if scale is None else scale)
    return Network(
        lambda diffraction, offsets: network([diffraction, offsets], training=False),
        foreign=True,
        scaled=lambda amplitudes: amplitudes * factor,
        notes=("loaded by upstream's package, which ran code of the bundle",),
        output_names=_output_names(network),
    )


def _from_keras(path: Path, request: ModelRequest) -> Network:
    with SafeArchive(path, path.name):
        pass  # Keras unpacks it by itself; refuse what could leave the folder before it does
    return _from_keras_file(path, request)


def _from_keras_file(path: Path, request: ModelRequest) -> Network:
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever the malformed part provokes
        raise ModelError(
            f"Keras cannot load {path.name}",
            why=_first_lines(error),
            do="save the model without Lambda layers and custom classes, or as a SavedModel",
        ) from error
    inputs = [_input(str(each.name), each) for each in model.inputs]
    order = _input_order(inputs, path)

    def call(diffraction: tf.Tensor, offsets: tf.Tensor) -> Any:
        given = [(diffraction, offsets)[index] for index in order]
        given = [tf.cast(x, spec.dtype) for x, spec in zip(given, model.inputs, strict=True)]
        return model(keras.tree.pack_sequence_as(structure, given), training=False)

    # A sequential network that was read says nothing of its input's structure: it has one.
    is_chain = isinstance(model, keras.Sequential)
    structure = model.inputs[0] if is_chain else model.input
    # A model's layers are not all that it does: operations between them count as well.
    operations = model.layers if is_chain else getattr(model, "operations", [None])
    return Network(
        call,
        foreign=not all(map(_keeps_apart, operations)),
        output_names=_output_names(model),
    )


def _output_names(model: Any) -> tuple[str, ...]:
    """Give the names of a functional or sequential model's output layers; others have none."""
    if isinstance(model, keras.Sequential):
        return (str(model.layers[-1].name),)
    return tuple(getattr(model, "output_names", None) or ())


def _keeps_apart(operation: Any) -> bool:
    """Tell whether a layer or operation of Keras surely does not mix the elements of a batch."""
    if isinstance(operation, keras.layers.Concatenate):
        return int(operation.axis) != 0
    return any(type(operation) is getattr(keras.layers, name) for name in PER_ELEMENT)


def _from_saved_model(path: Path, request: ModelRequest) -> Network:
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow raises whatever the malformed part provokes
        raise ModelError(
            f"TensorFlow cannot load the SavedModel {path.name}",
            why=_first_lines(error),
            do="save the model again",
        ) from error
    function = loaded.signatures.get(SIGNATURE)
    if function is None:
        raise ModelError(
            f"the SavedModel {path.name} has no signature {SIGNATURE}",
            why=f"its signatures: {', '.join(loaded.signatures) or 'none'}",
            do="export it with Keras' model.export()",
        )
    specs: Mapping[str, tf.TensorSpec] = function.structured_input_signature[1]
    names = sorted(specs)
    order = _input_order([_input(name, specs[name]) for name in names], path)

    def call(diffraction: tf.Tensor, offsets: tf.Tensor) -> Any:
        # `loaded` owns the variables; without this reference they would be freed.
        assert loaded is not None
        given = [(diffraction, offsets)[index] for index in order]
        return function(
            **{name: tf.cast(x, specs[name].dtype) for name, x in zip(names, given, strict=True)}
        )

    return Network(call, foreign=True)


def _input(name: str, tensor: Any) -> NetworkInput:
    rank = tf.TensorShape(tensor.shape).rank
    shape = None if rank is None else tuple(tensor.shape)
    return NetworkInput(name, shape, tf.as_dtype(tensor.dtype).name)


def _input_order(inputs: Sequence[NetworkInput], path: Path) -> tuple[int, ...]:
    """For each input of the network 0 (diffraction) or 1 (offsets)."""
    require_floats(inputs, path.name)
    order, _ = roles(inputs, path.name)
    return order


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in without_escapes(str(error)).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])[:400]}"


def without_escapes(text: str) -> str:
    """Take off what Keras colours its messages with."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


LOADERS: Mapping[ModelKind, Callable[[Path, ModelRequest], Network]] = {
    ModelKind.BUNDLE: _from_bundle,
    ModelKind.KERAS: _from_keras,
    ModelKind.KERAS_H5: _from_keras_file,
    ModelKind.SAVED_MODEL: _from_saved_model,
}

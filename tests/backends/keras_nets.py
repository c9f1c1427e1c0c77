"""Small Keras networks for tests: untrained, quick, with every kind of output and fault."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from ptyrun.backends.quiet_tensorflow import keras, tf

N = 16
Outputs = Callable[[keras.KerasTensor], object]


def amplitude_and_phase(features: keras.KerasTensor) -> list[keras.KerasTensor]:
    return [
        keras.layers.Conv2D(1, 1, activation=activation, name=name)(features)
        for name, activation in (("amplitude", "sigmoid"), ("phase", "tanh"))
    ]


def two_channels(features: keras.KerasTensor) -> keras.KerasTensor:
    return features


def named(*names: str) -> Outputs:
    """A list of outputs whose layers have these names."""

    def outputs(features: keras.KerasTensor) -> list[keras.KerasTensor]:
        return [keras.layers.Conv2D(1, 1, name=name)(features) for name in names]

    return outputs


def keyed(*names: str) -> Outputs:
    """A mapping of outputs with these keys, from layers without names of their own."""

    def outputs(features: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
        return {name: keras.layers.Conv2D(1, 1)(features) for name in names}

    return outputs


def one_canvas_per_batch(features: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The trap: one patch for the whole batch."""
    return amplitude_and_phase(keras.ops.sum(features, axis=0, keepdims=True))


def shared_normalisation(features: keras.KerasTensor) -> list[keras.KerasTensor]:
    """As many patches as groups, but each depends on all of them."""
    return amplitude_and_phase(features / keras.ops.mean(keras.ops.abs(features), keepdims=True))


def four_patches_per_group(features: keras.KerasTensor) -> list[keras.KerasTensor]:
    return [keras.ops.repeat(features[..., :1], 4, axis=-1)] * 2


def half_size(features: keras.KerasTensor) -> list[keras.KerasTensor]:
    return amplitude_and_phase(keras.layers.AveragePooling2D(2)(features))


def needs_a_petabyte(features: keras.KerasTensor) -> keras.KerasTensor:
    many = keras.ops.broadcast_to(keras.ops.mean(features), (1 << 24, 1 << 24))
    return features + keras.ops.mean(keras.ops.sin(many))


def network(
    outputs: Outputs = amplitude_and_phase,
    gridsize: int = 2,
    takes_offsets: bool = True,
    batch: int | None = None,
    patch_px: int = N,
) -> keras.Model:
    """Diffraction [and offsets] through one convolution of plain layers; seeded."""
    keras.utils.set_random_seed(3)
    diffraction = keras.Input((patch_px, patch_px, gridsize**2), batch_size=batch, name="input")
    inputs = [diffraction]
    features = keras.layers.Conv2D(2, 3, padding="same", name="first")(diffraction)
    if takes_offsets:
        offsets = keras.Input((1, 2, gridsize**2), batch_size=batch, name="input_positions")
        inputs.append(offsets)
        shift = keras.layers.Dense(2, name="second")(keras.layers.Flatten()(offsets))
        features = keras.layers.Add()([features, keras.layers.Reshape((1, 1, 2))(shift)])
    return keras.Model(inputs, outputs(features))


def saved(model: keras.Model, path: Path) -> Path:
    """Save as what *path* asks for; a path without suffix becomes a SavedModel."""
    if path.suffix:
        with warnings.catch_warnings():
            # Keras 3.15 reads its variables in a way that NumPy 2 asks to change.
            warnings.simplefilter("ignore", DeprecationWarning)
            model.save(path)
    else:
        export = tf.Module()
        export.model = model

        @tf.function(
            input_signature=[tf.TensorSpec(x.shape, x.dtype, x.name) for x in model.inputs]
        )
        def serve(*given: tf.Tensor) -> dict[str, tf.Tensor]:
            outputs = model(list(given))
            if isinstance(outputs, dict):
                return outputs
            outputs = tf.nest.flatten(outputs)
            return {f"output_{i}": value for i, value in enumerate(outputs)}

        tf.saved_model.save(export, str(path), signatures=serve)
    return path

"""What networks of TensorFlow are held to: dtypes of inputs, names of inputs and outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptyrun.backends.quiet_tensorflow import keras, tf
from ptyrun.backends.tf import TensorFlowPredictor
from ptyrun.errors import ModelError
from ptyrun.models.cards import inspect
from ptyrun.models.files import locate
from ptyrun.models.predictors import ModelRequest
from ptyrun.models.synthetic_groups import synthetic_groups
from tests.backends.keras_nets import N, saved

FREE = (None, None, 4)


def opened(path: Path) -> TensorFlowPredictor:
    return TensorFlowPredictor.open(ModelRequest(path, N, 2, 4, trusted=True))


def of_one_output(name: str, dtype: str = "float32") -> keras.Model:
    keras.utils.set_random_seed(3)
    given = keras.Input((N, N, 4), dtype=dtype, name="counts")
    seen = keras.layers.Rescaling(1.0)(given)
    return keras.Model(given, keras.layers.Conv2D(2, 3, padding="same", name=name)(seen))


def of_two_inputs(*names: str) -> keras.Model:
    """A pattern, or the first, is seen by a convolution; the other is added to what that gives."""
    keras.utils.set_random_seed(3)
    inputs = [keras.Input(FREE, name=name) for name in names]
    at = names.index("pattern") if "pattern" in names else 0
    seen = keras.layers.Conv2D(2, 3, padding="same")(inputs[at])
    shift = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(inputs[1 - at]))
    seen = keras.layers.Add()([seen, keras.layers.Reshape((1, 1, 2))(shift)])
    ends = [
        keras.layers.Conv2D(1, 1, name=name, activation=how)(seen)
        for name, how in (("amplitude", "sigmoid"), ("phase", "tanh"))
    ]
    return keras.Model(inputs, ends)


@pytest.mark.parametrize(("dtype", "name"), [("uint8", "net.keras"), ("int32", "net.h5")])
def test_a_network_that_takes_integers_is_refused_when_it_is_looked_at(
    tmp_path: Path, name: str, dtype: str
) -> None:
    path = saved(of_one_output("amplitude_phase", dtype), tmp_path / name)
    with pytest.raises(ModelError, match=f"takes {dtype} as its input"):
        inspect(locate(path))


@pytest.mark.parametrize("name", ["real_imag"])
def test_one_output_whose_name_says_something_else_is_refused(tmp_path: Path, name: str) -> None:
    path = saved(of_one_output(name), tmp_path / "net.keras")
    with pytest.raises(ModelError, match=f"of two channels, is named {name}"):
        opened(path)


def test_one_output_that_says_phase_first_is_taken_at_its_word(tmp_path: Path) -> None:
    model = of_one_output("phase_amplitude")
    given = synthetic_groups(4, N, 2)
    seen = model(given[0]).numpy()
    found = opened(saved(model, tmp_path / "net.keras")).predict(*given)
    wanted = seen[..., 1] * np.exp(1j * seen[..., 0])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


def test_an_amplitude_that_is_negative_is_doubted(tmp_path: Path) -> None:
    model = of_one_output("out")
    kernel, _ = model.layers[-1].get_weights()
    model.layers[-1].set_weights([-np.abs(kernel), np.array([-1, 0], np.float32)])
    (doubt,) = opened(saved(model, tmp_path / "net.keras")).card.notes
    assert doubt.startswith("its amplitude is negative in 100% of a trial's pixels")


@pytest.mark.parametrize(
    "names",
    [("offset", "pattern"), pytest.param(("pattern", "offset"), marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("name", ["net.keras", pytest.param("saved", marks=pytest.mark.slow)])
def test_two_inputs_of_free_shape_are_told_apart_by_their_names(
    tmp_path: Path, names: tuple[str, str], name: str
) -> None:
    model = of_two_inputs(*names)
    given = synthetic_groups(4, N, 2)
    in_order = [given[0], given[1]] if names[0] == "pattern" else [given[1], given[0]]
    amplitude, phase = (each.numpy()[..., 0] for each in model(in_order))
    found = opened(saved(model, tmp_path / name)).predict(*given)
    np.testing.assert_allclose(found, amplitude * np.exp(1j * phase), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("names", "said"),
    [(("a", "b"), "is not clear: a .*, b "), (("pattern", "probe"), "an input called probe")],
)
def test_two_inputs_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, names: tuple[str, str], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        opened(saved(of_two_inputs(*names), tmp_path / "net.keras"))


def test_a_saved_model_that_takes_integers_is_refused_when_it_is_looked_at(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, N, N, 4), tf.uint16, "counts")])
    def serve(counts: tf.Tensor) -> tf.Tensor:
        return tf.cast(counts[..., 0], tf.complex64)

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=serve)
    with pytest.raises(ModelError, match="takes uint16 as its input counts"):
        inspect(locate(tmp_path / "net"))


def test_a_saved_model_of_unknown_rank_is_given_the_diffraction(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "given")])
    def serve(given: tf.Tensor) -> tf.Tensor:
        return tf.complex(given[..., 0], given[..., 1])

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=serve)
    given = synthetic_groups(4, N, 2)
    found = opened(tmp_path / "net").predict(*given)
    assert np.array_equal(found, given[0][..., 0] + 1j * given[0][..., 1])


def sequential(last: str) -> keras.Model:
    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((N, N, 4)),
        keras.layers.Conv2D(3, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(2, 3, padding="same", activation="sigmoid", name=last),
    ]
    return keras.Sequential(layers)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_a_sequential_network_is_one_like_any_other(name: str, tmp_path: Path) -> None:
    model = sequential("amplitude_phase")
    diffraction, offsets = synthetic_groups(4, N, 2)
    predictor = opened(saved(model, tmp_path / name))
    patches = predictor.predict(diffraction, offsets)
    parts = np.asarray(model(diffraction, training=False))
    wanted = parts[..., 0] * np.exp(1j * parts[..., 1])
    assert np.allclose(patches, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_the_last_layer_of_a_sequential_network_names_what_it_gives(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="named real_imag"):
        opened(saved(sequential("real_imag"), tmp_path / name))

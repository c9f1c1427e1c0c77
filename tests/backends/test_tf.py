from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.backends.quiet_tensorflow import keras, tf
from ptyrun.backends.tf import TensorFlowPredictor
from ptyrun.backends.tf_networks import load_network
from ptyrun.errors import ModelError, PredictionError
from ptyrun.models.cards import inspect
from ptyrun.models.files import locate
from ptyrun.models.predictors import (
    ModelRequest,
    PredictorOutOfMemoryError,
    check_output,
    open_predictor,
)
from ptyrun.models.synthetic_groups import synthetic_groups
from ptyrun.testing import PredictorContract
from tests.backends import keras_nets
from tests.backends.keras_nets import N, network, saved
from tests.model_files import same_rows

# The same network in another batch or another file: rounding only.
CLOSE: dict[str, Any] = {"rtol": 0, "atol": 1e-5}
FORMATS = ["net.keras", "net.h5", "saved"]


def request(path: Path, gridsize: int = 2, batch_items: int = 4) -> ModelRequest:
    return ModelRequest(path, N, gridsize, batch_items, trusted=True)


def reference(model: keras.Model, gridsize: int, n_groups: int) -> NDArray[np.complex64]:
    diffraction, offsets = synthetic_groups(n_groups, N, gridsize)
    if gridsize == 1:
        offsets = np.zeros_like(offsets)
    given = [diffraction, offsets][: len(model.inputs)]
    amplitude, phase = (output.numpy()[..., 0] for output in model(given))
    return (amplitude * np.exp(1j * phase)).astype(np.complex64)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("gridsize", [1, 2])
@pytest.mark.parametrize("takes_offsets", [False, True])
def test_every_format_gives_the_networks_own_patches(
    tmp_path: Path, name: str, gridsize: int, takes_offsets: bool
) -> None:
    model = network(gridsize=gridsize, takes_offsets=takes_offsets)
    path = saved(model, tmp_path / name)
    card = inspect(locate(tmp_path if path.suffix else path))
    assert (card.patch_px, card.gridsize, card.takes_offsets) == (N, gridsize, takes_offsets)
    predictor = TensorFlowPredictor.open(request(path, gridsize))
    patches = predictor.predict(*synthetic_groups(4, N, gridsize))
    check_output(patches, 4, N)
    np.testing.assert_allclose(patches, reference(model, gridsize, 4), **CLOSE)
    assert predictor.batch_items == 4
    assert predictor.card.notes == ()


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> TensorFlowPredictor:
    path = saved(network(), tmp_path_factory.mktemp("net") / "net.keras")
    return TensorFlowPredictor.open(request(path, batch_items=8))


def test_a_patch_has_the_same_bits_whatever_lies_in_the_other_rows(
    predictor: TensorFlowPredictor,
) -> None:
    diffraction, offsets = synthetic_groups(24, N, 2)

    def patches(order: NDArray[np.intp]) -> NDArray[np.complex64]:
        batches = order.reshape(3, 8)
        return np.concatenate([predictor.predict(diffraction[b], offsets[b]) for b in batches])

    order = same_rows(24, 8)
    assert np.array_equal(patches(order), patches(np.arange(24))[order])


def test_a_batch_of_another_size_is_refused(predictor: TensorFlowPredictor) -> None:
    with pytest.raises(PredictionError, match="7 groups"):
        predictor.predict(*synthetic_groups(7, N, 2))


def test_a_closed_predictor_says_so(tmp_path: Path) -> None:
    closed = TensorFlowPredictor.open(request(saved(network(), tmp_path / "net.keras")))
    closed.close()
    with pytest.raises(PredictionError, match="closed"):
        closed.predict(*synthetic_groups(4, N, 2))


def test_a_real_output_with_two_channels_is_amplitude_and_phase(tmp_path: Path) -> None:
    model = network(keras_nets.two_channels)
    given = synthetic_groups(4, N, 2)
    features = model(list(given)).numpy()
    patches = TensorFlowPredictor.open(request(saved(model, tmp_path / "net.keras"))).predict(
        *given
    )
    wanted = features[..., 0] * np.exp(1j * features[..., 1])
    np.testing.assert_allclose(patches, wanted, **CLOSE)


@pytest.mark.parametrize(
    ("outputs", "name", "phase"),
    [
        (keras_nets.named("phase", "amplitude"), "net.keras", 0),
        (keras_nets.named("phi", "mag"), "net.h5", 0),
        (keras_nets.keyed("object_phase", "z_amplitude"), "net.keras", "object_phase"),
        (keras_nets.keyed("z_amplitude", "object_phase"), "net.keras", "object_phase"),
        (keras_nets.keyed("phase", "zamp"), "saved", "phase"),
    ],
)
def test_named_outputs_are_matched_by_name_and_not_by_order(
    tmp_path: Path, outputs: keras_nets.Outputs, name: str, phase: int | str
) -> None:
    model = network(outputs)
    predictor = TensorFlowPredictor.open(request(saved(model, tmp_path / name)))
    given = synthetic_groups(4, N, 2)
    by_name = model(list(given))
    keys = list(by_name) if isinstance(by_name, dict) else [0, 1]
    (amplitude,) = (key for key in keys if key != phase)
    wanted = by_name[amplitude].numpy() * np.exp(1j * by_name[phase].numpy())
    np.testing.assert_allclose(predictor.predict(*given), wanted[..., 0], **CLOSE)


@pytest.mark.parametrize(
    ("outputs", "name"),
    [
        (keras_nets.named("real", "imag"), "net.keras"),
        (keras_nets.keyed("imag", "real"), "saved"),
        (keras_nets.keyed("conv2d_10", "conv2d_9"), "saved"),
    ],
)
def test_outputs_whose_names_say_something_else_are_refused(
    tmp_path: Path, outputs: keras_nets.Outputs, name: str
) -> None:
    path = saved(network(outputs), tmp_path / name)
    with pytest.raises(ModelError, match=r"outputs are named \w+, \w+\n.*'phase'"):
        TensorFlowPredictor.open(request(path))


def test_a_network_with_one_patch_per_member_is_refused_by_its_shapes(tmp_path: Path) -> None:
    path = saved(network(keras_nets.four_patches_per_group), tmp_path / "net.keras")
    with pytest.raises(ModelError, match=r"16, 16, 4\) float32"):
        TensorFlowPredictor.open(request(path))


@pytest.mark.parametrize("name", ["net.keras", "saved"])
def test_patches_of_another_size_are_told_when_the_network_is_opened(
    tmp_path: Path, name: str
) -> None:
    path = saved(network(keras_nets.half_size), tmp_path / name)
    with pytest.raises(ModelError, match=r"gives patches of 8 x 8 pixels\n.*16 x 16"):
        TensorFlowPredictor.open(request(path))


@pytest.mark.parametrize("name", ["net.keras", "saved"])
@pytest.mark.parametrize(
    ("trap", "said"),
    [
        (keras_nets.one_canvas_per_batch, r"\(1, 16, 16\)"),
        (keras_nets.shared_normalisation, "another patch than alone"),
    ],
)
def test_a_network_that_mixes_groups_gets_a_safe_batch_and_a_note(
    tmp_path: Path, name: str, trap: keras_nets.Outputs, said: str
) -> None:
    model = network(trap)
    predictor = TensorFlowPredictor.open(request(saved(model, tmp_path / name), batch_items=8))
    assert predictor.batch_items == 1
    (note,) = predictor.card.notes
    assert note.startswith("predicts 1 group at once, not 8")
    diffraction, offsets = synthetic_groups(3, N, 2)
    for group in range(3):
        one = slice(group, group + 1)
        amplitude, phase = (x.numpy()[..., 0] for x in model([diffraction[one], offsets[one]]))
        patch = predictor.predict(diffraction[one], offsets[one])
        np.testing.assert_allclose(patch, amplitude * np.exp(1j * phase), **CLOSE)


def test_only_a_network_of_layers_that_could_mix_groups_has_to_be_probed(tmp_path: Path) -> None:
    plain = request(saved(network(), tmp_path / "plain.keras"))
    own_operations = request(
        saved(network(keras_nets.shared_normalisation), tmp_path / "own.keras")
    )
    assert not load_network(locate(plain.path), plain).foreign
    assert load_network(locate(own_operations.path), own_operations).foreign


def test_a_network_of_one_batch_size_is_used_with_that(tmp_path: Path) -> None:
    path = saved(network(batch=3), tmp_path / "net.keras")
    assert inspect(locate(path)).batch_items == 3
    predictor = TensorFlowPredictor.open(request(path, batch_items=8))
    assert predictor.batch_items == 3
    assert predictor.card.notes == ("takes batches of 3 only",)
    check_output(predictor.predict(*synthetic_groups(3, N, 2)), 3, N)


def test_a_network_of_one_batch_size_that_mixes_groups_is_refused(tmp_path: Path) -> None:
    path = saved(network(keras_nets.shared_normalisation, batch=3), tmp_path / "net.keras")
    with pytest.raises(ModelError, match="depends on the others"):
        TensorFlowPredictor.open(request(path))


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_a_lambda_layer_is_refused_and_not_run(tmp_path: Path, name: str) -> None:
    ran = str(tmp_path / "ran")
    given = keras.Input((N, N, 4))
    code = keras.layers.Lambda(lambda x: (open(ran, "w").close(), x[..., :2])[1])  # type: ignore[func-returns-value]  # noqa: PTH123
    path = saved(keras.Model(given, code(given)), tmp_path / name)
    Path(ran).unlink(missing_ok=True)
    with pytest.raises(ModelError, match=r"(?i)lambda"):
        TensorFlowPredictor.open(request(path))
    assert not Path(ran).exists()


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "saved/saved_model.pb"])
@pytest.mark.parametrize("content", [b"", b"nothing", os.urandom(4096)])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(ModelError):
        TensorFlowPredictor.open(request(path))


def test_a_saved_model_is_not_run_unless_it_is_trusted(tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"

    @tf.function(input_signature=[tf.TensorSpec((None, N, N, 4), tf.float32)])
    def serve(amplitudes: tf.Tensor) -> tf.Tensor:
        tf.io.write_file(str(trace), "written")
        return tf.complex(amplitudes[..., 0], amplitudes[..., 1])

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=serve)
    trusted = request(tmp_path / "net")
    with pytest.raises(ModelError, match=r"is a program(.|\n)*--trust-model"):
        TensorFlowPredictor.open(replace(trusted, trusted=False))
    assert not trace.exists()
    TensorFlowPredictor.open(trusted)
    assert trace.exists()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("asked", [(N * 2, 2), (N, 1), (N, 3)])
def test_a_model_for_other_shapes_is_refused_before_tensorflow_is_imported(
    tmp_path: Path, name: str, asked: tuple[int, int]
) -> None:
    path = saved(network(), tmp_path / name)
    code = (
        "import sys; from pathlib import Path\n"
        "from ptyrun.predictors import ModelRequest, check_request, locate\n"
        "from ptyrun.errors import ModelError\n"
        f"path = Path({str(path)!r})\n"
        "try:\n"
        f"    check_request(locate(path), ModelRequest(path, *{asked}, 4, trusted=True))\n"
        "except ModelError as error:\n"
        "    print(error.what, 'tensorflow' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "is made for" in said.stdout
    assert said.stdout.strip().endswith("False")


def hungry_network() -> keras.Model:
    return network(lambda x: keras_nets.amplitude_and_phase(keras_nets.needs_a_petabyte(x)))


def test_running_out_of_memory_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(PredictorOutOfMemoryError, match="TensorFlow ran out of memory at 1 group"):
        TensorFlowPredictor.open(request(saved(hungry_network(), tmp_path / "net.keras")))


def test_tensorflow_is_opened_by_name_without_a_word_on_stderr_whatever_keras_is_told(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    settings = {"backend": "jax", "floatx": "float16", "image_data_format": "channels_first"}
    (home / "keras.json").write_text(json.dumps(settings))
    told = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": str(home)}
    path = saved(network(), tmp_path / "net.keras")
    code = (
        "from pathlib import Path\n"
        "from ptyrun.predictors import ModelRequest, open_predictor\n"
        f"print(open_predictor('tf', ModelRequest(Path({str(path)!r}), {N}, 2, 2)).batch_items)\n"
        "import keras; print(keras.backend.backend(), keras.config.floatx())"
    )
    words = [sys.executable, "-c", code]
    said = subprocess.run(words, capture_output=True, text=True, check=True, env=told)
    assert (said.stdout, said.stderr) == ("2\ntensorflow float32\n", "")


def test_what_is_hidden_from_keras_can_be_imported_afterwards() -> None:
    program = (
        "import ptyrun.backends.quiet_tensorflow, gc, sys;"
        "assert 'sklearn' not in sys.modules;"
        "assert gc.isenabled();"
        "import matplotlib.pyplot, ptyrun.backends.tf"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_entry_point_gives_this_predictor(tmp_path: Path) -> None:
    path = saved(network(), tmp_path / "net.keras")
    assert isinstance(open_predictor("tf", request(path)), TensorFlowPredictor)


class TestContract(PredictorContract):
    predictor = TensorFlowPredictor

    @pytest.fixture
    def model_request(self, tmp_path: Path) -> ModelRequest:
        return request(saved(network(), tmp_path / "net.keras"))

    @pytest.fixture
    def too_large_request(self, tmp_path: Path) -> ModelRequest:
        return request(saved(hungry_network(), tmp_path / "net.keras"))

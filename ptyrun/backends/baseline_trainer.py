"""How does the reference Baseline learn? One pattern to amplitude and phase, with Keras."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from itertools import count
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.backends.quiet_tensorflow import GPUS, keras, tf
from ptyrun.errors import GeometryError
from ptyrun.host import durable
from ptyrun.training.order import steps_per_epoch
from ptyrun.training.settings import number, refuse_unknown
from ptyrun.training.trainers import (
    OWN,
    Examples,
    State,
    TrainingRequest,
)

DEFAULTS = OWN["baseline.keras"].settings
# The border of a patch is dark, and stitching takes its centre alone.
UNTRAINED_BORDER = 18 / 64
SMALLEST_SIDE_PX = 16
# Of the brightest point: a probe that is nearly its own mirror image gives mirrored patterns.
SYMMETRIC = 1e-3
WARM_UP = 10
OUTPUTS = ("amplitude", "phase")


class BaselineTrainer:
    """Trains a U-Net on the true object, frame by frame, by Adam on squared differences.

    Settings: ``fine_width`` and ``coarse_width`` (channels at half and at a quarter of the
    resolution and below), ``batch_frames``, ``learning_rate``. Examples are also mirrored along
    each axis along which the probe is symmetric.
    """

    figures = ("loss", "amplitude_loss", "phase_loss")
    identity = f"tensorflow {tf.__version__}, keras {keras.__version__}"

    def __init__(self, request: TrainingRequest) -> None:
        settings, examples = request.settings, request.examples
        refuse_unknown(settings, DEFAULTS)
        _require_single_frames(examples)
        _set_up(request.threads)
        keras.utils.set_random_seed(request.seed)
        self._patterns = examples.diffraction
        truth = examples.truth()
        self._truth = np.stack([np.abs(truth), np.angle(truth)], axis=-1).astype(np.float32)
        self._flips = _flips(examples.probe)
        self.n_items = examples.n_groups * len(self._flips)
        batch = int(number(settings, "batch_frames", int(DEFAULTS["batch_frames"])))
        self.batch_items = min(batch, self.n_items)
        widths = [
            int(number(settings, name, int(DEFAULTS[name])))
            for name in ("fine_width", "coarse_width")
        ]
        self._network = make_network(examples.patch_px, *widths)
        total = request.epochs * steps_per_epoch(self.n_items, self.batch_items)
        rate = number(settings, "learning_rate", DEFAULTS["learning_rate"])
        schedule = keras.optimizers.schedules.CosineDecay(
            rate / 20, total, warmup_target=rate, warmup_steps=total // WARM_UP
        )
        self._optimizer = keras.optimizers.Adam(schedule)
        self._optimizer.build(self._network.trainable_variables)
        self._border = round(UNTRAINED_BORDER * examples.patch_px)
        self._learn = _learning(self._network, self._optimizer, self._border)

    @classmethod
    def open(cls, request: TrainingRequest) -> Self:
        """Make the network with weights drawn from the seed."""
        return cls(request)

    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        """Learn from frames once; squared differences at the centres of patches before that."""
        inner = np.s_[:, self._border : -self._border, self._border : -self._border]
        truth = self._batch(self._truth, items)[inner]
        amplitude, phase = self._learn(self._batch(self._patterns, items), truth).numpy().tolist()
        return amplitude + phase, amplitude, phase

    def state(self) -> State:
        """Every variable of network and optimizer, in their order."""
        return {name: each.numpy().copy() for name, each in self._variables().items()}

    def restore(self, state: State) -> None:
        """Take on a state; ValueError where it is another network's."""
        variables = self._variables()
        for name, variable in variables.items():
            array = state.get(name)
            if array is None or array.shape != tuple(variable.shape):
                raise ValueError("its arrays are those of another network")
        if state.keys() != variables.keys():
            raise ValueError("it holds more arrays than the network")
        for name, variable in variables.items():
            variable.assign(state[name])

    def predict(self, items: NDArray[np.int64]) -> NDArray[np.complex64]:
        """Give the patches of frames."""
        amplitude, phase = self._network(self._batch(self._patterns, items), training=False)
        patches = amplitude.numpy() * np.exp(1j * phase.numpy())
        return np.asarray(patches[..., 0], np.complex64)

    def save(self, path: Path) -> None:
        """Write a Keras 3 file, on disk for good; that of an equal network has equal bytes."""
        with tempfile.TemporaryDirectory(prefix="ptyrun-") as folder:
            whole = Path(folder) / "model.keras"
            self._network.save(whole)
            durable.write_atomic(path, _undated(whole))

    def close(self) -> None:
        """Let go of the network."""
        del self._network, self._optimizer, self._learn

    def _variables(self) -> dict[str, Any]:
        owners = {"network": self._network, "optimizer": self._optimizer}
        return {
            f"{where}/{i:04d}": variable
            for where, owner in owners.items()
            for i, variable in enumerate(owner.variables)
        }

    def _batch(self, images: NDArray[np.float32], items: NDArray[np.int64]) -> NDArray[np.float32]:
        frames, flips = np.divmod(items, len(self._flips))
        batch = images[frames]
        for row, flip in enumerate(flips.tolist()):
            for axis in self._flips[flip]:
                # Pixel N/2 is the centre and must stay where it is.
                batch[row] = np.roll(np.flip(batch[row], axis), 1, axis)
        return batch


def _require_single_frames(examples: Examples) -> None:
    side = examples.patch_px
    if examples.diffraction.shape[-1] != 1 or side % 8 or side < SMALLEST_SIDE_PX:
        raise GeometryError(
            "the Baseline cannot learn from these examples",
            why=f"they are {examples.diffraction.shape[-1]} frames of {side} px each; it takes one "
            f"of {SMALLEST_SIDE_PX} px or more, a multiple of 8",
            do="give a scan with such frames",
        )


def _set_up(threads: int) -> None:
    """Sum in one order, however often this is run."""
    for name in ("intra", "inter"):
        config = tf.config.threading
        if getattr(config, f"get_{name}_op_parallelism_threads")() != threads:
            try:
                getattr(config, f"set_{name}_op_parallelism_threads")(threads)
            except RuntimeError:
                return  # TensorFlow has computed in this process already, with as many as it has
    if GPUS:
        tf.config.experimental.enable_op_determinism()


def _flips(probe: NDArray[np.complex64]) -> list[tuple[int, ...]]:
    """Along which axes of an image examples may be mirrored: none, one, the other, both."""
    brightest = np.abs(probe).max()
    axes = [
        axis
        for axis in (0, 1)
        if np.abs(probe - np.roll(np.flip(probe, axis), 1, axis)).max() <= SYMMETRIC * brightest
    ]
    return [(), *((axis,) for axis in axes), *([(0, 1)] if len(axes) == 2 else [])]


def make_network(patch_px: int, fine_width: int, coarse_width: int) -> Any:
    """U-Net from (B, N, N, 1) to amplitude and phase, (B, N, N, 1) each."""
    layers = keras.layers
    numbers = count()

    def named(kind: Any, *words: Any, **more: Any) -> Any:
        # Keras' own names count on from network to network of a process.
        return kind(*words, name=f"layer_{next(numbers)}", **more)

    def convolution(x: Any, width: int, size: int = 3, stride: int = 1) -> Any:
        more = {"padding": "same", "activation": "relu"}
        return named(layers.Conv2D, width, size, stride, **more)(x)

    def residual(x: Any) -> Any:
        inner = convolution(x, coarse_width)
        inner = named(layers.Conv2D, coarse_width, 3, padding="same")(inner)
        return named(layers.ReLU)(named(layers.Add)([x, inner]))

    def image(x: Any, name: str) -> Any:
        fine = convolution(x, fine_width)
        return layers.Conv2DTranspose(1, 4, 2, padding="same", name=name)(fine)

    diffraction = keras.Input((patch_px, patch_px, 1), name="diffraction")
    fine = convolution(diffraction, fine_width, size=6, stride=2)
    coarse = residual(residual(convolution(fine, coarse_width, stride=2)))
    coarsest = residual(convolution(coarse, coarse_width, stride=2))
    coarse = residual(named(layers.Add)([coarse, named(layers.UpSampling2D)(coarsest)]))
    more = {"padding": "same", "activation": "relu"}
    risen = named(layers.Conv2DTranspose, fine_width, 4, 2, **more)(coarse)
    merged = convolution(named(layers.Concatenate)([fine, risen]), fine_width)
    return keras.Model(diffraction, [image(merged, name) for name in OUTPUTS], name="baseline")


def _learning(network: Any, optimizer: Any, border: int) -> Any:
    """Make the function of one step: patterns and truth (B, n, n, 2) to two losses (2,)."""

    # Without XLA, whose compiling takes longer than a small training, and whose steps do, too.
    @tf.function(jit_compile=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def learn(patterns: Any, truth: Any) -> Any:
        with tf.GradientTape() as tape:
            amplitude, phase = network(patterns, training=True)
            found = tf.concat([amplitude, phase], axis=-1)
            inner = found[:, border:-border, border:-border]
            losses = tf.reduce_mean(tf.square(inner - truth), axis=(0, 1, 2))
            loss = tf.reduce_sum(losses)
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return losses

    return learn


def _undated(path: Path) -> bytes:
    """Give a Keras file without what hangs on the process: time, and addresses in memory."""
    written = io.BytesIO()
    with zipfile.ZipFile(path) as given, zipfile.ZipFile(written, "w") as made:
        for name in sorted(given.namelist()):
            data = given.read(name)
            if name == "metadata.json":
                said = json.loads(data)
                said.pop("date_saved", None)
                data = json.dumps(said, sort_keys=True).encode()
            elif name == "config.json":
                data = json.dumps(_numbered(json.loads(data), {})).encode()
            made.writestr(zipfile.ZipInfo(name), data)
    return written.getvalue()


def _numbered(config: Any, numbers: dict[int, int]) -> Any:
    """Call shared objects 0, 1, ... in the order of the configuration; Keras takes addresses."""
    if isinstance(config, list):
        return [_numbered(each, numbers) for each in config]
    if not isinstance(config, dict):
        return config
    return {
        key: numbers.setdefault(value, len(numbers))
        if key == "shared_object_id"
        else _numbered(value, numbers)
        for key, value in config.items()
    }

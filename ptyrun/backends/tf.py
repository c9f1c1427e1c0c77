"""How does TensorFlow predict patches?

Takes Keras 3 files, legacy Keras HDF5, SavedModel folders and upstream's bundles. A network
gets diffraction (B, N, N, C) float32 and, if it has a second input, local offsets
(B, 1, 2, C) in pixels. It gives complex patches (B, N, N[, 1]), or amplitude and phase: two
outputs of that shape, matched by name or else in this order, or one real output with two
channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from ptyrun.backends.fixed_batch import FixedBatch, n_threads, prepare
from ptyrun.backends.outputs import amplitude_and_phase, amplitude_doubts, channels, parts
from ptyrun.backends.probing import Predict
from ptyrun.backends.quiet_tensorflow import GPUS, tf
from ptyrun.backends.tf_networks import Network, load_network, without_escapes
from ptyrun.errors import ModelError, PredictionError, PtyrunError
from ptyrun.models.files import locate
from ptyrun.models.halving import SMALLER_BATCH
from ptyrun.models.predictors import ModelRequest, PredictorOutOfMemoryError, check_request
from ptyrun.models.synthetic_groups import synthetic_groups
from ptyrun.texts import counted


class TensorFlowPredictor(FixedBatch):
    """A network run by TensorFlow at one fixed batch shape."""

    @classmethod
    def open(cls, request: ModelRequest) -> Self:
        """Load the model and run it once; ModelError when it does not suit the request."""
        _configure_runtime()
        model = locate(request.path)
        card = check_request(model, request)
        network = load_network(model, request)

        def compiled(batch: int) -> Predict:
            if batch == 1 and card.batch_items is None and not network.foreign:
                return _of_two(_compiled(network, 2, request))
            return _compiled(network, batch, request)

        batch_items, predict, notes = prepare(compiled, card, request, foreign=network.foreign)
        doubts = _doubts(network, card.batch_items or 2, request)
        card = replace(card, notes=card.notes + network.notes + notes + doubts)
        return cls(card, batch_items, request.patch_px, predict)


@cache
def _configure_runtime() -> None:
    """As many threads as there are cores to use; bits that do not depend on scheduling."""
    try:
        # With one network at a time, threads between operations only compete.
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.threading.set_intra_op_parallelism_threads(n_threads())
        for device in GPUS:
            tf.config.experimental.set_memory_growth(device, True)
            tf.config.experimental.enable_op_determinism()
    except RuntimeError:
        pass  # someone used TensorFlow before in this process: its settings stand


def _compiled(network: Network, batch: int, request: ModelRequest) -> Predict:
    n, channels = request.patch_px, request.gridsize**2

    def patches(diffraction: tf.Tensor, offsets: tf.Tensor) -> tf.Tensor:
        if channels == 1:
            offsets = tf.zeros_like(offsets)
        return as_patches(network.call(diffraction, offsets), network.output_names)

    function = tf.function(
        patches,
        input_signature=[
            tf.TensorSpec((batch, n, n, channels), tf.float32),
            tf.TensorSpec((batch, 1, 2, channels), tf.float32),
        ],
        autograph=False,
    )

    def predict(
        diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        with _plain_errors(batch):
            patches = function(network.scaled(diffraction), local_offsets_px)
            return cast("NDArray[np.complex64]", patches.numpy())

    return predict


def _doubts(network: Network, batch: int, request: ModelRequest) -> tuple[str, ...]:
    """Doubt the amplitude of a network that says nothing of its own of it."""
    if not network.is_doubtful:
        return ()
    diffraction, offsets = synthetic_groups(batch, request.patch_px, request.gridsize)
    if request.gridsize == 1:
        offsets = np.zeros_like(offsets)
    with _plain_errors(batch):
        outputs = network.call(tf.constant(network.scaled(diffraction)), tf.constant(offsets))
        found = as_polar(outputs, network.output_names)
        return amplitude_doubts(found[0].numpy() if isinstance(found, tuple) else None)


def _of_two(predict: Predict) -> Predict:
    """One group, computed as the first of two.

    oneDNN has kernels of their own for a batch of one, which are no faster and sum in another
    order; from two on, the bits of a patch are the same for every batch.
    """

    def first(
        diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        twice = (np.repeat(array, 2, axis=0) for array in (diffraction, local_offsets_px))
        return predict(*twice)[:1]

    return first


def as_patches(outputs: Any, names: Sequence[str] = ()) -> tf.Tensor:
    """Complex patches (B, N, N) from what a network gave; all else as of `as_polar`."""
    patches = as_polar(outputs, names)
    return _polar(*patches) if isinstance(patches, tuple) else patches


def as_polar(outputs: Any, names: Sequence[str] = ()) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
    """Complex patches (B, N, N), or amplitudes and phases, from what a network gave.

    Parameters
    ----------
    names : sequence of str
        The network's names for its outputs; a mapping has its own.

    Raises
    ------
    ModelError
        If it is neither complex patches nor amplitude and phase, one per group.
    """
    tensors, names, ordered = _tensors(outputs, names)
    n_complex = sum(tensor.dtype.is_complex for tensor in tensors)
    images = [_single_channel(tensor) for tensor in tensors]
    if len(tensors) == n_complex == 1 and images[0] is not None:
        return tf.cast(images[0], tf.complex64)
    if len(tensors) == 1 and n_complex == 0 and tensors[0].shape[-1] == 2:
        first, second = channels(names[0])
        return _floats(tensors[0][..., first]), _floats(tensors[0][..., second])
    if len(images) == 2 and n_complex == 0 and all(image is not None for image in images):
        amplitude, phase = amplitude_and_phase(names, ordered=ordered)
        return _floats(images[amplitude]), _floats(images[phase])
    described = ", ".join(f"{tuple(t.shape)} {t.dtype.name}" for t in tensors)
    raise ModelError(
        f"the network gives {described}",
        why="one patch per group is complex (B, N, N[, 1]), or amplitude and phase of that shape",
        do="export the network with such an output",
    )


def _tensors(outputs: Any, names: Sequence[str]) -> tuple[list[tf.Tensor], list[str], bool]:
    values, names, ordered = parts(outputs, names)
    if len(values) == 1 and tf.nest.is_nested(values[0]):
        return _tensors(values[0], names if not isinstance(outputs, Mapping) else ())
    tensors = tf.nest.flatten(values)
    if len(tensors) != len(names):
        return tensors, [""] * len(tensors), ordered
    # Flattened one by one: a mapping flattened as a whole comes sorted by its names.
    return [tensor for value in values for tensor in tf.nest.flatten(value)], names, ordered


def _single_channel(tensor: tf.Tensor) -> tf.Tensor | None:
    if tensor.shape.rank == 4 and tensor.shape[-1] == 1:
        return tensor[..., 0]
    return tensor if tensor.shape.rank == 3 else None


def _floats(tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, tf.float32)


def _polar(amplitude: tf.Tensor, phase: tf.Tensor) -> tf.Tensor:
    return tf.complex(amplitude * tf.cos(phase), amplitude * tf.sin(phase))


@contextmanager
def _plain_errors(batch: int) -> Iterator[None]:
    """Turn TensorFlow's errors into ptyrun's."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise PredictorOutOfMemoryError(
            f"TensorFlow ran out of memory at {counted(batch, 'group')}",
            why=str(error).splitlines()[0],
            do=SMALLER_BATCH,
        ) from error
    except PtyrunError:
        raise
    except Exception as error:  # Keras and TensorFlow raise whatever a layer provokes
        raise PredictionError(
            f"the network failed at {counted(batch, 'group')}",
            why=f"{type(error).__name__}: {without_escapes(str(error)).strip()[:400]}",
            do="check that the model suits this patch size, gridsize and batch",
        ) from error

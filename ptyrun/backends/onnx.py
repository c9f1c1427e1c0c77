"""How does ONNX Runtime predict patches?

Takes ``.onnx`` files. A network gets diffraction (B, C, N, N), or (B, N, N, C) where its input has
that shape, and, if it has a second input, local offsets in pixels: (B, C, 2), last axis [x, y], or
(B, 1, 2, C). It gives amplitude and phase: two real outputs of one channel or none, matched by name
or else in this order, or one real output with two channels, on the axis of its input's channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ptyrun.backends.fixed_batch import FixedBatch, n_threads, prepare
from ptyrun.backends.outputs import amplitude_and_phase, amplitude_doubts, channels
from ptyrun.backends.probing import Predict
from ptyrun.errors import ModelError, PredictionError
from ptyrun.models.files import locate
from ptyrun.models.halving import SMALLER_BATCH
from ptyrun.models.inputs import OFFSETS, NetworkInput, require_floats, roles
from ptyrun.models.onnx_files import OnnxGraph, read_onnx
from ptyrun.models.predictors import ModelRequest, PredictorOutOfMemoryError, check_request
from ptyrun.models.synthetic_groups import synthetic_groups
from ptyrun.texts import counted

Arrays = NDArray[np.float32]
# What ONNX Runtime calls memory that it does not get.
_OUT_OF_MEMORY = ("failed to allocate memory", "out of memory", "bad_alloc", "bad allocation")


class OnnxPredictor(FixedBatch):
    """A network run by ONNX Runtime at one fixed batch shape."""

    @classmethod
    def open(cls, request: ModelRequest) -> Self:
        """Load the model and run it once; ModelError when it does not suit the request."""
        model = locate(request.path)
        card = check_request(model, request)
        network = _Network.load(model.path, request)

        def compiled(batch: int) -> Predict:
            return lambda diffraction, offsets: network.patches(diffraction, offsets, batch)

        batch_items, predict, notes = prepare(compiled, card, request, foreign=True)
        given = synthetic_groups(batch_items, request.patch_px, request.gridsize)
        amplitude, _ = network.polar(*given, batch_items)
        card = replace(card, notes=card.notes + notes + amplitude_doubts(amplitude))
        return cls(card, batch_items, request.patch_px, predict)


@dataclass(frozen=True)
class _Network:
    """A session of ONNX Runtime, and how its inputs and outputs are laid out."""

    session: Any
    inputs: tuple[NetworkInput, ...]
    roles: tuple[int, ...]
    outputs: tuple[str, ...]
    channel_axis: int

    @classmethod
    def load(cls, path: Path, request: ModelRequest) -> Self:
        """Read, check and load a model."""
        graph = read_onnx(path)
        require_floats(graph.inputs, path.name)
        if unfit := [each for each in graph.inputs if each.dtype == "bfloat16"]:
            raise ModelError(
                f"{path.name} takes bfloat16 as its input {unfit[0].name}",
                why="NumPy has no bfloat16",
                do="export the network with a float32 input",
            )
        order, _ = roles(graph.inputs, path.name)
        axis = _channel_axis(graph, request, path)
        session = _session(path)
        return cls(session, graph.inputs, order, tuple(e.name for e in graph.outputs), axis)

    def polar(self, diffraction: Arrays, offsets: Arrays, batch: int) -> tuple[Arrays, Arrays]:
        """Amplitude and phase (B, N, N)."""
        given = {
            each.name: self._laid_out(each, role, diffraction, offsets)
            for each, role in zip(self.inputs, self.roles, strict=True)
        }
        with _plain_errors(batch):
            outputs = self.session.run(None, given)
        return _polar(outputs, self.outputs, self.channel_axis)

    def patches(self, diffraction: Arrays, offsets: Arrays, batch: int) -> NDArray[np.complex64]:
        """Complex patches (B, N, N)."""
        amplitude, phase = self.polar(diffraction, offsets, batch)
        patches = np.empty(amplitude.shape, np.complex64)
        np.multiply(amplitude, np.cos(phase), out=patches.real)
        np.multiply(amplitude, np.sin(phase), out=patches.imag)
        return patches

    def _laid_out(
        self, each: NetworkInput, role: int, diffraction: Arrays, offsets: Arrays
    ) -> NDArray[Any]:
        dtype = np.dtype(each.dtype or "float32")
        if role != OFFSETS:
            given = diffraction if self.channel_axis == 3 else np.moveaxis(diffraction, 3, 1)
            return np.ascontiguousarray(given, dtype)
        if offsets.shape[-1] == 1:
            offsets = np.zeros_like(offsets)
        has_four = self.channel_axis == 3 if each.shape is None else len(each.shape) == 4
        given = offsets if has_four else offsets[:, 0].transpose(0, 2, 1)
        return np.ascontiguousarray(given, dtype)


def _channel_axis(graph: OnnxGraph, request: ModelRequest, path: Path) -> int:
    """Where the channels are: as shapes tell, or else as what is asked for tells."""
    if graph.channel_axis is not None:
        return graph.channel_axis
    shapes = [
        each.shape for each in graph.inputs if each.shape is not None and len(each.shape) == 4
    ]
    wanted = (request.gridsize**2, request.patch_px, request.patch_px)
    first = [_may_be(shape[1:], wanted) for shape in shapes]
    last = [_may_be(shape[1:], (*wanted[1:], wanted[0])) for shape in shapes]
    if any(first) != any(last):
        return 1 if any(first) else 3
    raise ModelError(
        f"where {path.name} has its channels is not clear: {', '.join(map(str, graph.inputs))}",
        why="networks take (B, C, N, N) or (B, N, N, C), told apart by the sizes of these axes",
        do="export the network with a fixed number of channels, and patches of a fixed size",
    )


def _may_be(shape: Sequence[int | None], wanted: Sequence[int]) -> bool:
    return all(has in (None, size) for has, size in zip(shape, wanted, strict=True))


def _session(path: Path) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = n_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # errors; these become ModelError
    usable = {"CUDAExecutionProvider", "CPUExecutionProvider"}
    providers = [each for each in ort.get_available_providers() if each in usable]
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime raises whatever the malformed part provokes
        raise ModelError(
            f"ONNX Runtime cannot load {path.name}",
            why=_first_line(error),
            do="save the model again, for an older version of ONNX if it is too new",
        ) from error


def _polar(outputs: Sequence[Any], names: Sequence[str], axis: int) -> tuple[Arrays, Arrays]:
    """Amplitude and phase from what a network gave.

    Raises
    ------
    ModelError
        If it is neither, one per group.
    """
    real = [np.asarray(each) for each in outputs]
    if not any(each.dtype.kind != "f" for each in real):
        if len(real) == 1 and real[0].ndim == 4 and real[0].shape[axis] == 2:
            first, second = channels(names[0])
            return _floats(real[0].take(first, axis)), _floats(real[0].take(second, axis))
        images = [_single_channel(each, axis) for each in real]
        if len(images) == 2:
            amplitude, phase = (images[i] for i in amplitude_and_phase(names, ordered=True))
            if amplitude is not None and phase is not None:
                return _floats(amplitude), _floats(phase)
    described = ", ".join(f"{each.shape} {each.dtype}" for each in real)
    raise ModelError(
        f"the network gives {described}",
        why="one patch per group is amplitude and phase: two outputs of one channel, or one output "
        "of two",
        do="export the network with such outputs",
    )


def _floats(array: NDArray[Any]) -> Arrays:
    return np.ascontiguousarray(array, np.float32)


def _single_channel(array: NDArray[Any], axis: int) -> NDArray[Any] | None:
    if array.ndim == 4 and array.shape[axis] == 1:
        return array.squeeze(axis)
    return array if array.ndim == 3 else None


@contextmanager
def _plain_errors(batch: int) -> Iterator[None]:
    """Turn ONNX Runtime's errors into ptyrun's."""
    try:
        yield
    except MemoryError as error:
        raise _out_of_memory(batch, error) from error
    except Exception as error:  # ONNX Runtime has classes of its own, and none for memory
        if any(words in str(error).lower() for words in _OUT_OF_MEMORY):
            raise _out_of_memory(batch, error) from error
        raise PredictionError(
            f"the network failed at {counted(batch, 'group')}",
            why=_first_line(error),
            do="check that the model suits this patch size, gridsize and batch",
        ) from error


def _out_of_memory(batch: int, error: BaseException) -> PredictorOutOfMemoryError:
    return PredictorOutOfMemoryError(
        f"ONNX Runtime ran out of memory at {counted(batch, 'group')}",
        why=_first_line(error),
        do=SMALLER_BATCH,
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:400]}" if lines else type(error).__name__

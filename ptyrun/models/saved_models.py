"""Which inputs does a TensorFlow SavedModel take?

Read without TensorFlow. ``saved_model.pb`` is a protocol buffer; the few fields needed are
followed by hand: SavedModel.meta_graphs (2) > MetaGraphDef.signature_def (5) >
SignatureDef.inputs (1) > TensorInfo.dtype (2) and tensor_shape (3) > TensorShapeProto.dim (2) >
Dim.size (1). Numbers from tensorflow/core/protobuf/{saved_model,meta_graph}.proto and
tensorflow/core/framework/{tensor_shape,types}.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ptyrun.errors import ModelError
from ptyrun.models.files import forbidden
from ptyrun.models.inputs import NetworkInput
from ptyrun.models.protobuf import bounded, fields, integers, message_of, messages, texts

SIGNATURE = b"serving_default"
DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string",
    8: "complex64", 9: "int64", 10: "bool", 14: "bfloat16", 17: "uint16", 18: "complex128",
    19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip


def saved_inputs(saved_model: Path) -> tuple[NetworkInput, ...]:
    """Inputs of the default signature, sorted by name; empty when there is none.

    Raises
    ------
    ModelError
        If the file cannot be read as a SavedModel.
    """
    try:
        message = message_of(saved_model)
        with bounded():
            inputs = {each.name: each for each in _default_inputs(message)}
    except (OSError, ValueError, IndexError) as error:
        raise _unreadable(saved_model, error) from error
    return tuple(inputs[name] for name in sorted(inputs))


def _unreadable(saved_model: Path, error: Exception) -> ModelError:
    if isinstance(error, PermissionError):
        return forbidden(saved_model, error)
    return ModelError(
        f"{saved_model} cannot be read",
        why=f"it is damaged, or no SavedModel ({error})",
        do="save the model again, or name another",
    )


def _default_inputs(message: memoryview) -> Iterator[NetworkInput]:
    for graph in messages(message, 2):
        for entry in messages(graph, 5):
            if SIGNATURE in texts(entry, 1):
                for signature in messages(entry, 2):
                    yield from _inputs(signature)


def _inputs(signature: memoryview) -> Iterator[NetworkInput]:
    for entry in messages(signature, 1):
        for name in texts(entry, 1):
            for tensor in messages(entry, 2):
                yield NetworkInput(name.decode("utf-8", "replace"), _shape(tensor), _dtype(tensor))


def _shape(tensor: memoryview) -> tuple[int | None, ...] | None:
    shapes = [tuple(map(_size, messages(shape, 2))) for shape in messages(tensor, 3)]
    # Of unknown rank are networks whose shape is left out, or is said to have none.
    return shapes[-1] if shapes and shapes[-1] else None


def _dtype(tensor: memoryview) -> str:
    dtypes = integers(tensor, 2)
    return DTYPES.get(dtypes[-1], f"type {dtypes[-1]}") if dtypes else ""


def _size(dim: memoryview) -> int | None:
    """Read one dimension; -1, stored as a 64-bit two's complement, is free."""
    sizes = [value for number, value in fields(dim) if number == 1 and isinstance(value, int)]
    return sizes[0] if sizes and 0 < sizes[0] < 1 << 63 else None

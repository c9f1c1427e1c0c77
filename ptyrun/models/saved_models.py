"""Which inputs does a TensorFlow SavedModel take?

Read without TensorFlow. ``saved_model.pb`` is a protocol buffer; the few fields needed are
followed by hand: SavedModel.meta_graphs (2) > MetaGraphDef.signature_def (5) >
SignatureDef.inputs (1) > TensorInfo.tensor_shape (3) > TensorShapeProto.dim (2) > Dim.size (1).
Numbers from tensorflow/core/protobuf/{saved_model,meta_graph}.proto and
tensorflow/core/framework/tensor_shape.proto, encoding from
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ptyrun.errors import ModelError
from ptyrun.models.files import forbidden

SIGNATURE = b"serving_default"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def input_shapes(saved_model: Path) -> tuple[tuple[int | None, ...], ...]:
    """Shapes of the inputs of the default signature, by name; empty when there is none.

    Raises
    ------
    ModelError
        If the file cannot be read as a SavedModel.
    """
    try:
        message = memoryview(saved_model.read_bytes())
        inputs = dict(_default_inputs(message))
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


def _default_inputs(message: memoryview) -> Iterator[tuple[bytes, tuple[int | None, ...]]]:
    for graph in _messages(message, 2):
        for entry in _messages(graph, 5):
            if SIGNATURE in _texts(entry, 1):
                for signature in _messages(entry, 2):
                    yield from _inputs(signature)


def _inputs(signature: memoryview) -> Iterator[tuple[bytes, tuple[int | None, ...]]]:
    for entry in _messages(signature, 1):
        for name in _texts(entry, 1):
            for tensor in _messages(entry, 2):
                for shape in _messages(tensor, 3):
                    yield name, tuple(_size(dim) for dim in _messages(shape, 2))


def _size(dim: memoryview) -> int | None:
    """Read one dimension; -1, stored as a 64-bit two's complement, is free."""
    sizes = [value for number, value in _fields(dim) if number == 1 and isinstance(value, int)]
    return sizes[0] if sizes and 0 < sizes[0] < 1 << 63 else None


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, value in _fields(message):
        if number == wanted and isinstance(value, memoryview):
            yield value


def _texts(message: memoryview, wanted: int) -> list[bytes]:
    return [bytes(value) for value in _messages(message, wanted)]


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values of one message, in order."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            value, at = _varint(message, at)
            yield number, value
        else:
            if wire_type == BYTES:
                length, at = _varint(message, at)
            elif wire_type in (FIXED32, FIXED64):
                length = 4 if wire_type == FIXED32 else 8
            else:
                raise ValueError(f"wire type {wire_type} at byte {at}")
            if at + length > len(message):
                raise ValueError(f"field {number} ends beyond its message")
            yield number, message[at : at + length]
            at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"a number of more than 10 bytes at byte {at}")

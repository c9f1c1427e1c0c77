"""Small ONNX models, written by hand: numbers of fields from onnx/onnx.proto."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.protobuf import field, number

N = 16
TYPES = {"float32": 1, "uint8": 2, "int32": 6, "float16": 10, "float64": 11, "bfloat16": 16}
Shape = Sequence[int | str]


def attribute(name: str, value: int | Sequence[int] | bytes) -> bytes:
    """An integer, integers, or (bytes) a graph."""
    if isinstance(value, bytes):
        return field(5, field(1, name) + field(6, value) + number(20, 5))
    if isinstance(value, int):
        return field(5, field(1, name) + number(3, value) + number(20, 2))
    return field(5, field(1, name) + b"".join(number(8, each) for each in value) + number(20, 7))


def node(
    operator: str, given: Sequence[str], gives: Sequence[str], *attributes: bytes, domain: str = ""
) -> bytes:
    names = b"".join(field(1, each) for each in given) + b"".join(field(2, each) for each in gives)
    inside = names + field(4, operator) + b"".join(attributes)
    return inside + (field(7, domain) if domain else b"")


def tensor(name: str, array: np.ndarray, outside: str | None = None) -> bytes:
    """Weights in the file, or said to lie in the file *outside*."""
    dtype = 7 if array.dtype == np.int64 else TYPES[array.dtype.name]
    inside = b"".join(number(1, size) for size in array.shape) + number(2, dtype) + field(8, name)
    if outside is None:
        return inside + field(9, array.tobytes())
    place = field(1, "location") + field(2, outside)
    length = field(1, "length") + field(2, str(array.nbytes))
    return inside + field(13, place) + field(13, length) + number(14, 1)


def value(name: str, shape: Shape | None, dtype: str = "float32") -> bytes:
    tensor_type = number(1, TYPES[dtype])
    if shape is not None:
        dims = (number(1, s) if isinstance(s, int) else field(2, s) for s in shape)
        tensor_type += field(2, b"".join(field(1, dim) for dim in dims))
    return field(1, name) + field(2, field(1, tensor_type))


def graph(
    nodes: Sequence[bytes],
    weights: Sequence[bytes] = (),
    inputs: Sequence[bytes] = (),
    outputs: Sequence[bytes] = (),
) -> bytes:
    parts = ((1, nodes), (5, weights), (11, inputs), (12, outputs))
    named = field(2, "graph")
    return named + b"".join(field(at, each) for at, several in parts for each in several)


def model(inside: bytes, *domains: str, more: bytes = b"") -> bytes:
    used = b"".join(field(8, field(1, each) + number(2, 1)) for each in domains)
    return number(1, 8) + field(7, inside) + field(8, number(2, 17)) + used + more


class Net:
    """One convolution of the group, then amplitude and phase; NumPy says what it gives."""

    def __init__(
        self,
        dtype: str = "float32",
        batch: int | str = "batch",
        channels: int | str = 4,
        px: int | str = N,
        takes_offsets: bool = True,
        outputs: Sequence[str] = ("amplitude", "phase"),
        names: tuple[str, str] = ("diffraction", "offsets"),
        last: bool = False,
        outside: str | None = None,
        shapeless: bool = False,
        activated: bool = True,
        sign: int = 1,
    ) -> None:
        generator = np.random.default_rng(3)
        # ONNX Runtime has no convolution of doubles; such networks cast what they get.
        width = "float16" if dtype == "float16" else "float32"
        self.kernel = generator.normal(0, 0.2, (2, 4, 1, 1)).astype(width)
        self.kernel[0] = sign * np.abs(self.kernel[0])
        self.outside = outside
        self._outputs, self._takes_offsets, self._activated = outputs, takes_offsets, activated
        image = (batch, px, px, channels) if last else (batch, channels, px, px)
        shift: Shape = (batch, 1, 2, channels) if last else (batch, channels, 2)
        nodes = [node("Cast", [names[0]], ["cast"], attribute("to", TYPES[width]))]
        nodes += [
            node("Transpose", ["cast"], ["x"], attribute("perm", [0, 3, 1, 2]))
            if last
            else node("Identity", ["cast"], ["x"])
        ]
        nodes += [node("Conv", ["x", "kernel"], ["seen"])]
        weights = [
            tensor("kernel", self.kernel, outside),
            tensor("axes", np.array([2, 3], np.int64)),
        ]
        inputs = [value(names[0], None if shapeless else image, dtype)]
        if takes_offsets:
            inputs.append(value(names[1], None if shapeless else shift, dtype))
            axes = [1, 3] if last else [1]
            nodes += [
                node("Cast", [names[1]], ["shift"], attribute("to", TYPES[width])),
                node(
                    "ReduceMean", ["shift"], ["moved"],
                    attribute("axes", axes), attribute("keepdims", 0),
                ),
                node("Unsqueeze", ["moved", "axes"], ["far"]),
                node("Add", ["seen", "far"], ["features"]),
            ]  # fmt: skip
        else:
            nodes += [node("Identity", ["seen"], ["features"])]
        if len(outputs) == 1:
            nodes += self._one(outputs[0], last)
        else:
            nodes += [
                node("Split", ["features"], ["first", "second"], attribute("axis", 1)),
                node("Sigmoid" if activated else "Identity", ["first"], [outputs[0]]),
                node("Tanh" if activated else "Identity", ["second"], [outputs[1]]),
            ]
            if last:
                nodes = [*nodes[:-2], *self._moved(outputs)]
        ends = [value(each, None, width) for each in outputs]
        self.graph = graph(nodes, weights, inputs, ends)

    def _one(self, name: str, last: bool) -> list[bytes]:
        if last:
            return [node("Transpose", ["features"], [name], attribute("perm", [0, 2, 3, 1]))]
        return [node("Identity", ["features"], [name])]

    def _moved(self, outputs: Sequence[str]) -> list[bytes]:
        moved = attribute("perm", [0, 2, 3, 1])
        return [
            node("Sigmoid", ["first"], ["a"]),
            node("Tanh", ["second"], ["p"]),
            node("Transpose", ["a"], [outputs[0]], moved),
            node("Transpose", ["p"], [outputs[1]], moved),
        ]

    def saved(self, path: Path) -> Path:
        path.write_bytes(model(self.graph))
        if self.outside is not None:
            (path.parent / self.outside).write_bytes(self.kernel.tobytes())
        return path

    def features(self, diffraction: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """(B, 2, N, N), in double precision."""
        kernel = self.kernel[:, :, 0, 0].astype(float)
        seen = np.einsum("bhwc,kc->bkhw", diffraction.astype(float), kernel)
        if self._takes_offsets:
            seen += offsets[:, 0].mean(-1)[:, :, None, None]
        return seen

    def patches(self, diffraction: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """What a predictor is to give."""
        first, second = np.moveaxis(self.features(diffraction, offsets), 1, 0)
        if len(self._outputs) == 2 and self._activated:
            first, second = 1 / (1 + np.exp(-first)), np.tanh(second)
        return first * np.exp(1j * second)

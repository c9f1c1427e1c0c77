"""What does an ONNX model say of itself, and does it consist of itself alone?

Read without ONNX. The file is a protocol buffer; the fields needed are followed by hand, with
numbers from https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. What it may hold is a list of
what is known: operators whose code is ONNX Runtime's own, and weights in the file or beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ptyrun.errors import ModelError
from ptyrun.models.files import ModelFile
from ptyrun.models.inputs import NetworkInput, is_offsets
from ptyrun.models.kinds import ModelKind
from ptyrun.models.protobuf import bounded, integers, message_of, messages, texts

# "com.microsoft" are operators that ONNX Runtime itself has, as its optimisers write them.
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
# Of these, it names a file for a compiler of a device to load.
REFUSED = frozenset({("com.microsoft", "EPContext")})
DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    8: "string", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
    14: "complex64", 15: "complex128", 16: "bfloat16",
}  # fmt: skip
MAX_DEPTH = 16
MAX_DATA_FILES = 1000  # each is named to the process that reads it
EXTERNAL = 1


@dataclass(frozen=True)
class OnnxGraph:
    """Inputs and outputs of a model; ``data`` are the files beside it that hold its weights.

    ``channel_axis`` is that of the diffraction input, 1 or 3; None where shapes do not tell.
    """

    inputs: tuple[NetworkInput, ...]
    outputs: tuple[NetworkInput, ...]
    data: tuple[str, ...]
    channel_axis: int | None


def read_onnx(path: Path) -> OnnxGraph:
    """Read a model, and see that nothing of it is code of others or is elsewhere.

    Raises
    ------
    ModelError
        If it is damaged, holds operators that ONNX Runtime does not bring itself, or weights in
        files that are not beside it.
    """
    try:
        message = message_of(path)
        with bounded():
            return _graph(message, path)
    except (OSError, ValueError, IndexError, RecursionError) as error:
        raise ModelError(
            f"{path.name} cannot be read as a model",
            why=f"it is damaged, or no ONNX model ({error})",
            do="save the model again, or name another",
        ) from error


def data_files(model: ModelFile) -> tuple[str, ...]:
    """Names of the files beside a model that hold weights of it; none unless it is of ONNX."""
    return read_onnx(model.path).data if model.kind is ModelKind.ONNX else ()


def _graph(model: memoryview, path: Path) -> OnnxGraph:
    graphs = [*messages(model, 7)]
    if len(graphs) != 1 or not integers(model, 1):
        raise ValueError("it has no version, or not one graph")
    functions = [*messages(model, 25)]
    own = {(_text(each, 10), _text(each, 1)) for each in functions}
    data: set[str] = set()
    for part, nodes_field in ((graphs[0], 1), *((each, 7) for each in functions)):
        _check_nodes(part, nodes_field, own, data, path)
        _check_graph_tensors(part if nodes_field == 1 else None, data, path)
    weights = {_text(tensor, 8) for tensor in messages(graphs[0], 5)}
    inputs = tuple(each for each in _values(graphs[0], 11) if each.name not in weights)
    outputs = tuple(_values(graphs[0], 12))
    return OnnxGraph(inputs, outputs, tuple(sorted(data)), _channel_axis(inputs))


def _check_nodes(
    part: memoryview,
    nodes_field: int,
    own: set[tuple[str, str]],
    data: set[str],
    path: Path,
    depth: int = 0,
) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"graphs inside graphs, more than {MAX_DEPTH} deep")
    for node in messages(part, nodes_field):
        domain, operator = _text(node, 7), _text(node, 4)
        known = domain in DOMAINS and (domain, operator) not in REFUSED
        if not known and (domain, operator) not in own:
            raise ModelError(
                f"{path.name} has an operator that ptyrun does not run: {domain}.{operator}",
                why="it is none of ONNX's and ONNX Runtime's own: it would run foreign code",
                do="export the network with ONNX's operators alone",
            )
        for attribute in messages(node, 5):
            for tensor in (*messages(attribute, 5), *messages(attribute, 10)):
                _check_tensor(tensor, data, path)
            for sparse in (*messages(attribute, 22), *messages(attribute, 23)):
                _check_sparse(sparse, data, path)
            for graph in (*messages(attribute, 6), *messages(attribute, 11)):
                _check_nodes(graph, 1, own, data, path, depth + 1)
                _check_graph_tensors(graph, data, path)


def _check_graph_tensors(graph: memoryview | None, data: set[str], path: Path) -> None:
    if graph is not None:
        for tensor in messages(graph, 5):
            _check_tensor(tensor, data, path)
        for sparse in messages(graph, 15):
            _check_sparse(sparse, data, path)


def _check_sparse(sparse: memoryview, data: set[str], path: Path) -> None:
    for tensor in (*messages(sparse, 1), *messages(sparse, 2)):
        _check_tensor(tensor, data, path)


def _check_tensor(tensor: memoryview, data: set[str], path: Path) -> None:
    """See that weights outside the file lie beside it, in a file of its folder."""
    entries = [(_text(entry, 1), _text(entry, 2)) for entry in messages(tensor, 13)]
    if not entries and EXTERNAL not in integers(tensor, 14):
        return
    places = [value for key, value in entries if key == "location"]
    name = places[0] if len(places) == 1 else ""
    folder = path.parent.resolve()
    is_plain = bool(name) and len(PurePosixPath(name).parts) == 1 and name not in (".", "..")
    file = folder / name
    if not is_plain or "\\" in name or file.is_symlink() or not file.is_file():
        raise ModelError(
            f"{path.name} wants weights from {name or 'a file without a name'}",
            why="weights outside the model are read from a plain file beside it alone, and there "
            "is none of that name",
            do="put the file beside the model, or save the model as one file",
        )
    data.add(name)
    if len(data) > MAX_DATA_FILES:
        raise ValueError(f"weights in more than {MAX_DATA_FILES} files beside it")


def _values(graph: memoryview, field: int) -> Iterator[NetworkInput]:
    for value in messages(graph, field):
        shape: tuple[int | None, ...] | None = None
        dtype = ""
        for kind in messages(value, 2):
            for tensor in messages(kind, 1):
                types = integers(tensor, 1)
                dtype = DTYPES.get(types[-1], f"type {types[-1]}") if types else ""
                for dims in messages(tensor, 2):
                    shape = tuple(map(_size, messages(dims, 1)))
        yield NetworkInput(_text(value, 1), shape, dtype)


def _size(dim: memoryview) -> int | None:
    sizes = integers(dim, 1)
    return sizes[-1] if sizes and 0 < sizes[-1] < 1 << 31 else None


def _text(message: memoryview, field: int) -> str:
    found = texts(message, field)
    return found[-1].decode("utf-8", "replace") if found else ""


def _channel_axis(inputs: tuple[NetworkInput, ...]) -> int | None:
    """Tell by shapes whether a network takes (B, C, N, N) or (B, N, N, C)."""
    for each in inputs:
        if each.shape is not None and len(each.shape) == 4 and not is_offsets(each.shape):
            _, first, middle, last = each.shape
            for alike in (_equal, _alike):
                is_first, is_last = alike(middle, last), alike(first, middle)
                if is_first != is_last:
                    return 1 if is_first else 3
            if middle is None and (first is None) != (last is None):
                return 1 if last is None else 3
    return None


def _equal(one: int | None, other: int | None) -> bool:
    return one is not None and one == other


def _alike(one: int | None, other: int | None) -> bool:
    """Whether two axes can be those of one square image."""
    return one is None or other is None or one == other

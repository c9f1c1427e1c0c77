"""Is a ``torch.export`` archive (``.pt2``) free of anything that loading it would run?

``torch.export.load`` unpickles payloads that say so, falls back to full unpickling of the
sample inputs, evaluates size expressions with SymPy, imports modules named by tree
descriptions and loads compiled libraries (PyTorch 2.13, ``torch/export/pt2_archive`` and
``torch/_export/serde``). An ordinary exported network needs none of that.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from ptyrun.archives import SafeArchive
from ptyrun.errors import ModelError

MAX_WEIGHTS_BYTES = 4 << 30
MEMBERS = re.compile(
    r"[^/]+/(models/model\.json|archive_format|archive_version|byteorder|\.data/\w+|\.format_version"
    r"|\.storage_alignment|data/sample_inputs/model\.pt"
    r"|data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json))"
)
OPERATORS = re.compile(r"(torch\.ops\.(aten|prims)\.\w+(\.\w+)?|_operator\.\w+|math\.\w+)")
TREES = {None, "builtins.tuple", "builtins.list", "builtins.dict"}
SIZE_FUNCTIONS = {
    "Symbol", "Integer", "Max", "Min", "Mod", "PythonMod", "FloorDiv", "CleanDiv", "Add", "Mul",
}  # fmt: skip
SIZE_NODES = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.keyword, ast.Constant, ast.BinOp, ast.Add,
    ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.UnaryOp, ast.USub,
)  # fmt: skip


def check_exported(path: Path) -> None:
    """Refuse an archive that would run code when it is loaded.

    Raises
    ------
    ModelError
        Naming the part of the archive that is not plain data.
    """
    try:
        with SafeArchive(path, path.name) as archive:
            for fault in _faults(archive):
                raise _refusal(path, fault)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _refusal(path, f"its description is malformed ({error})") from error


def _faults(archive: SafeArchive) -> Iterator[str]:
    for name in archive.names():
        if not MEMBERS.fullmatch(name):
            yield f"the entry {name} is not part of a plain exported program"
        if name.endswith("_config.json"):
            yield from _payload_faults(json.loads(archive.read(name)), name)
        elif name.endswith("/models/model.json"):
            yield from _program_faults(json.loads(archive.read(name)))
        elif name.endswith("/data/sample_inputs/model.pt"):
            yield from _pickle_faults(archive.read(name, MAX_WEIGHTS_BYTES), name)


def _payload_faults(document: Any, name: str) -> Iterator[str]:
    for weight, payload in document["config"].items():
        if payload["use_pickle"] is not False:
            yield f"{name}: {weight} is pickled"
        if not re.fullmatch(r"(weight|tensor)_\d+", payload["path_name"]):
            yield f"{name}: {weight} is not a tensor"


def _pickle_faults(data: bytes, name: str) -> Iterator[str]:
    try:
        torch.load(BytesIO(data), weights_only=True)
    except Exception as error:  # a hostile pickle may raise anything
        yield f"{name} holds more than tensors ({type(error).__name__})"


def _program_faults(document: Any) -> Iterator[str]:
    for key, value in _entries(document):
        if key == "expr_str" and not _is_size(value):
            yield f"the size expression {value!r} is not arithmetic"
        elif key == "target" and not OPERATORS.fullmatch(value):
            yield f"the operator {value!r} is not one of PyTorch's own"
        elif key in ("in_spec", "out_spec") and not _is_plain_tree(json.loads(value)[1]):
            yield f"the tree description {key} names foreign types"


def _entries(document: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value that is text, at any depth."""
    if isinstance(document, dict):
        for key, value in document.items():
            if isinstance(value, str):
                yield key, value
            else:
                yield from _entries(value)
    elif isinstance(document, list):
        for value in document:
            yield from _entries(value)


def _is_size(expression: str) -> bool:
    """Whether a text that SymPy would evaluate is arithmetic of symbols, and nothing else."""
    try:
        nodes = list(ast.walk(ast.parse(expression, mode="eval")))
    except SyntaxError:
        return False
    return all(isinstance(node, SIZE_NODES) and _is_tame(node) for node in nodes)


def _is_tame(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in SIZE_FUNCTIONS
    if isinstance(node, ast.Name):
        return node.id in SIZE_FUNCTIONS or re.fullmatch(r"[su]\d+", node.id) is not None
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.fullmatch(r"[su]\d+", node.value) is not None
    return not isinstance(node, ast.Constant) or isinstance(node.value, bool | int)


def _is_plain_tree(tree: Any) -> bool:
    context = tree["context"]
    plain = context is None or "__enum__" not in context
    return tree["type"] in TREES and plain and all(map(_is_plain_tree, tree["children_spec"]))


def _refusal(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{path.name} is refused: loading it could run code",
        why=why,
        do="export the network again with torch.export.save, from tensors alone",
    )

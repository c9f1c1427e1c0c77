"""Which strings does a user see? `python -m docs.words` prints them all, each with its place.

Texts of errors, help, notes, warnings and pages, found in the code: f-strings with {} for what is
filled in. What stands elsewhere, as parts of messages do, is listed if it has three words or more.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ptyrun"

# Calls whose texts are shown; errors besides.
SHOWN = {
    *("say", "say_once", "note", "warn", "echo", "secho", "fail", "option", "argument", "Option"),
    *("Switch", "flag", "PanelOption", "Finding", "Harm", "refuse_unknown"),
}
TABLES = {"COMMANDS"}  # of names and their help
_WORDS = 3
WORDS_OF = {"help", "why", "do", "epilog", "reason", "evidence"}


def strings() -> Iterator[tuple[str, str]]:
    """Give each text with its place, in the order of files and lines."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        listed = set()
        for node in ast.walk(tree):
            for said, number in _shown(node):
                if " " in said.strip():
                    listed.add(said)
                    yield f"{name}:{number}", " ".join(said.split())
        for said, number in _elsewhere(tree):
            if said not in listed and len(said.split()) >= _WORDS:
                yield f"{name}:{number}", " ".join(said.split())
    for path in sorted((*PACKAGE.rglob("*.html.j2"), *PACKAGE.rglob("*.md.j2"))):
        name = path.relative_to(ROOT).as_posix()
        text = re.sub(
            r"<(style|script)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.S
        )
        for line in re.sub(r"\{[{%#].*?[}%#]\}|<[^>]*>", "\n", text, flags=re.S).splitlines():
            if " " in line.strip():
                yield name, line.strip()


def _shown(node: ast.AST) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Call):
        function = node.func
        called = (
            function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        )
        is_shown = called in SHOWN or called.endswith("Error") or called.startswith("_refus")
        values = [*node.args] if is_shown else []
        values += [w.value for w in node.keywords if is_shown or w.arg in WORDS_OF]
        yield from ((text, value.lineno) for value in values for text in _texts(value))
    elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(each, ast.Name) and each.id in TABLES for each in targets):
            values = node.value.values
            yield from ((text, value.lineno) for value in values for text in _texts(value))
    elif isinstance(node, ast.FunctionDef) and node.name == "command":
        yield ast.get_docstring(node) or "", node.lineno


def _elsewhere(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Give every text that is neither a docstring nor a part of another text."""
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            parts.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts.update(set(ast.walk(node)) - {node})
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node not in parts:
            yield from ((text, node.lineno) for text in _texts(node))


def _texts(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        yield "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in value.values)
    elif isinstance(value, ast.BinOp):
        yield from _texts(value.left)
        yield from _texts(value.right)
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body)
        yield from _texts(value.orelse)


if __name__ == "__main__":
    for place, text in strings():
        print(f"{place}\t{text}")

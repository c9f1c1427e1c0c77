"""Which part of ptyrun imports which? A drawing, made from the imports themselves."""

from __future__ import annotations

import ast
from html import escape
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "ptyrun"
_WIDE, _HIGH, _GAP_X, _GAP_Y = 128, 30, 14, 38


def imports() -> dict[str, set[str]]:
    """Give each part of the package with those that it imports.

    A part is a folder; modules that lie in none are the ground floor.
    """
    parts = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    found: dict[str, set[str]] = {part: set() for part in parts}
    for part in parts:
        for path in (PACKAGE / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for name in _imported(node):
                    words = name.split(".")
                    if words[0] == "ptyrun" and len(words) > 1 and words[1] in parts - {part}:
                        found[part].add(words[1])
    return found


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        if node.module == "ptyrun":
            return [f"ptyrun.{each.name}" for each in node.names]
        return [node.module]
    return []


def levels(graph: dict[str, set[str]]) -> dict[str, int]:
    """Give each part a level above all that it imports.

    Examples
    --------
    >>> levels({"cli": {"host", "engine"}, "engine": {"host"}, "host": set()})
    {'host': 0, 'engine': 1, 'cli': 2}
    """
    found: dict[str, int] = {}
    while len(found) < len(graph):
        ready = sorted(p for p in graph.keys() - found.keys() if graph[p] <= found.keys())
        assert ready, f"a circle of imports: {sorted(graph.keys() - found.keys())}"
        found |= {
            part: 1 + max((found[each] for each in graph[part]), default=-1) for part in ready
        }
    return found


def svg() -> str:
    """Draw the parts in rows, each joined to those that it imports, but through no other one."""
    graph = imports()
    height = levels(graph)
    rows = [
        sorted(part for part in graph if height[part] == level)
        for level in range(max(height.values()), -1, -1)
    ]
    most = max(map(len, rows))
    wide = most * (_WIDE + _GAP_X) + _GAP_X
    high = len(rows) * (_HIGH + _GAP_Y) + 10
    place: dict[str, tuple[float, float]] = {}
    for y, row in enumerate(rows):
        left = (wide - len(row) * (_WIDE + _GAP_X) + _GAP_X) / 2
        for x, part in enumerate(row):
            place[part] = (left + x * (_WIDE + _GAP_X), 5 + y * (_HIGH + _GAP_Y))
    lines = [_line(place[a], place[b]) for a in sorted(graph) for b in _direct(graph, a)]
    boxes = [_box(part, *spot) for part, spot in sorted(place.items())]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" role="img">',
            "<title>Parts of ptyrun, each above those that it imports</title>",
            *lines,
            *boxes,
            "</svg>\n",
        )
    )


def _direct(graph: dict[str, set[str]], part: str) -> list[str]:
    """Leave out what is reached through another part anyway."""
    return sorted(b for b in graph[part] if not any(b in _all(graph, c) for c in graph[part] - {b}))


def _all(graph: dict[str, set[str]], part: str) -> set[str]:
    found: set[str] = set()
    left = [*graph[part]]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left += graph[each]
    return found


def _line(above: tuple[float, float], below: tuple[float, float]) -> str:
    half = _WIDE / 2
    x1, y1, x2, y2 = above[0] + half, above[1] + _HIGH, below[0] + half, below[1]
    return f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" stroke="#8a94a0" stroke-width="1.2"/>'


def _box(part: str, x: float, y: float) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{_WIDE}" height="{_HIGH}" rx="6" fill="#e8f0f7" '
        f'stroke="#4a6d8c"/><text x="{x + _WIDE / 2:g}" y="{y + _HIGH / 2 + 5:g}" '
        f'text-anchor="middle" font-family="sans-serif" font-size="14" fill="#12212e">'
        f"{escape(part)}</text>"
    )

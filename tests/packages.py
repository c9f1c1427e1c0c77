"""A package of somebody else, laid out in a folder as pip does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def lay_out(site: Path, name: str, entry_points: str, modules: Mapping[str, str]) -> Path:
    """Write *modules* (name: code) and what tells of the package; give *site*, for the path."""
    metadata = site / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points, encoding="utf-8")
    for module, code in modules.items():
        (site / f"{module}.py").write_text(code, encoding="utf-8")
    return site

"""What does ptyrun cost on top of the work itself? ``python -m benchmarks`` measures it.

One module per question; each compares, in one run and in turns, what ptyrun does with the least
that anything could do, so that a ratio means the same on a fast and on a slow machine.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def python_path(*sites: Path) -> str:
    """``PYTHONPATH`` of a process that is to find this package, which is installed nowhere."""
    return os.pathsep.join(
        filter(None, [*map(str, sites), str(ROOT), os.environ.get("PYTHONPATH")])
    )


def offer(site: Path, backend: str, predictor: type) -> Path:
    """Offer a predictor in *site*, as an installed package does; give *site*, for the path."""
    name = f"ptyrun-bench-{backend}"
    info = site / f"{name.replace('-', '_')}-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    entry = f"[ptyrun.predictors]\n{backend} = {predictor.__module__}:{predictor.__name__}\n"
    (info / "entry_points.txt").write_text(entry)
    return site

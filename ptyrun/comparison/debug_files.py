"""What went into the Baseline and what came out? Files for people who look for a fault."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ptyrun.comparison import gates, outputs
from ptyrun.comparison.assembly import open_patches
from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.patch_work import read_groups
from ptyrun.comparison.sums import ArmObject
from ptyrun.engine.manifest import Manifest
from ptyrun.host import durable
from ptyrun.paths import RunPaths
from ptyrun.ptycho.readers.opening import Scan
from ptyrun.report import drawn, plots
from ptyrun.report.views import Quantity, Scene, View

BASELINE = "baseline"
MOST_GROUPS = 320


def write_images(paths: RunPaths, arms: Mapping[str, ArmObject]) -> None:
    """Write each arm's whole object as a picture into ``debug/``."""
    durable.make_folder(paths.debug)
    for name, arm in arms.items():
        known = np.where(arm.coverage > 0, arm.image, np.nan)
        images = {Quantity.PHASE: np.angle(known), Quantity.AMPLITUDE: np.abs(known)}
        figure = plots.comparison_figure(Scene([View(name, name, images)], is_per_arm=True))
        durable.write_atomic(paths.debug / f"{name}.png", drawn.content(figure))


def write_baseline(paths: RunPaths, manifest: Manifest, scan: Scan, folder: Path) -> None:
    """Write ``baseline_debug.npz`` and its statistics: the first 320 groups at the most."""
    if BASELINE not in {arm.name for arm in manifest.arms}:
        return
    arm = manifest.arm(BASELINE)
    items = range(min(arm.n_items, MOST_GROUPS))
    inputs = read_groups(scan, ArmIndex.read(paths, arm), items)
    patches = np.asarray(open_patches(paths, arm)[: items.stop])
    arrays = {
        "baseline_input": inputs.diffraction,
        "baseline_offsets": inputs.local_offsets_px,
        "baseline_output": patches,
    }
    durable.make_folder(folder)
    about = f"Input and output of the Baseline for its first {items.stop} groups."
    outputs.write_npz(folder / "baseline_debug.npz", arrays, about)
    stats = {name: gates.figures(array).numbers() for name, array in arrays.items()}
    text = json.dumps(stats, indent=1, sort_keys=True)
    durable.write_atomic(folder / "baseline_debug_stats.json", f"{text}\n".encode())

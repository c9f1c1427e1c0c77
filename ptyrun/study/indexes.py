"""Which doses and metrics are there? Small documents that list what other stages made."""

from __future__ import annotations

import json
from pathlib import Path

from ptyrun.config.study import Split
from ptyrun.host import durable
from ptyrun.host.regular import read_text
from ptyrun.host.typed_json import parse_object
from ptyrun.study.hub import PHASE_C, dose_name
from ptyrun.study.task import Task

MAX_BYTES = 2**20


def list_doses(task: Task) -> None:
    """Make ``run_manifest.json``: where each dose's halves lie, as upstream lists them."""
    root = Path(task.value("root"))
    entries = {}
    for dose in task.value("doses"):
        folder = root / PHASE_C / dose_name(dose)
        halves = {str(half): str(folder / f"patched_{half}.npz") for half in Split}
        entries[dose_name(dose)] = {"dose": dose, **halves, "intermediate_dir": str(folder)}
    durable.write_text(task.outputs()[0], json.dumps(entries, indent=2))


def bundle(task: Task) -> None:
    """Make ``metrics_bundle.json``: the metrics of all halves of a view."""
    found = {}
    for each in task.stage.inputs:
        split = each.path.name.removesuffix("_metrics.json")
        found[split] = parse_object(read_text(each.path, MAX_BYTES))
    durable.write_text(task.outputs()[0], json.dumps(found, indent=2))

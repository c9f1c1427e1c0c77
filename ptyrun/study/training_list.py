"""Which networks were trained, and how did it go? ``training_manifest.json`` as upstream has it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path, PurePosixPath
from typing import Any

from ptyrun.errors import ForeignFileError
from ptyrun.host import durable
from ptyrun.host.regular import open_regular, read_text
from ptyrun.models.files import locate
from ptyrun.study.hub import LOGS, PHASE_C, PHASE_D, PHASE_E
from ptyrun.study.simulating import STAMP
from ptyrun.study.task import Task
from ptyrun.study.training_stages import LOSSES, SKIPPED

MAX_BYTES = 2**24


def list_trainings(task: Task) -> None:
    """Make ``training_manifest.json`` and ``skip_summary.json``: each network and its losses."""
    root = Path(task.value("root"))
    manifest, skipped = task.outputs()
    models = {each.role: PurePosixPath(each.name) for each in task.stage.inputs}
    jobs = [
        _job(task, root, models[each["stage"]], **each)
        for each in task.value("jobs")
        if each["stage"] in models
    ]
    document = {
        "timestamp": STAMP,
        "phase_c_root": str(root / PHASE_C),
        "phase_d_root": str(root / PHASE_D),
        "artifact_root": str(root / PHASE_E),
        "filters": {"dose": task.value("dose"), "view": task.value("view"), "gridsize": None},
        "dry_run": False,
        "jobs": jobs,
        "skipped_views": [],
        "skipped_count": 0,
        "skip_summary_path": SKIPPED,
    }
    durable.write_text(manifest, json.dumps(document, indent=2))
    nothing = {"timestamp": STAMP, "skipped_views": [], "skipped_count": 0}
    durable.write_text(skipped, json.dumps(nothing, indent=2))


def _job(
    task: Task, root: Path, model: PurePosixPath, *, stage: str, data: str, **place: Any
) -> dict[str, Any]:
    found, half = locate(task.hub.path(str(model))), PurePosixPath(data)
    path = found.path / "saved_model.pb" if found.path.is_dir() else found.path
    losses = _losses(path.with_name(LOSSES))
    train_loss = next(iter(losses.values()), [])
    with open_regular(path) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        **place,
        "train_data_path": str(root / half),
        "test_data_path": str(root / half.with_name(half.name.replace("train", "test"))),
        "log_path": str(root / LOGS / f"{stage}.log"),
        "artifact_dir": str(root / path.parent.relative_to(task.hub.root)),
        "backend": "tensorflow" if found.backend == "tf" else found.backend,
        "result": {
            "status": "success",
            "final_loss": train_loss[-1] if train_loss else None,
            "epochs_completed": len(train_loss),
            "checkpoint_path": None,
            "bundle_path": path.name,
            "bundle_sha256": digest,
            "bundle_size_bytes": path.stat().st_size,
            "training_results": {"history": {"train_loss": train_loss, **losses}},
        },
    }


def _losses(path: Path) -> dict[str, list[float]]:
    """Read the mean of each epoch, by name; nothing of a network that was made elsewhere."""
    try:
        rows = list(csv.reader(io.StringIO(read_text(path, MAX_BYTES))))
        names = rows[0][1:]
        return {name: [float(row[i]) for row in rows[1:]] for i, name in enumerate(names, start=1)}
    except (OSError, ForeignFileError, csv.Error, ValueError, IndexError):
        return {}

"""Which comparisons were made, from what? ``comparison_manifest.json``, as upstream lists them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from ptyrun.errors import DamageError
from ptyrun.host import durable
from ptyrun.host.regular import read_text
from ptyrun.study import analysis
from ptyrun.study.comparing import MODELS, checkpoint
from ptyrun.study.comparison_log import command_in
from ptyrun.study.hub import Hub, baseline_folder, pinn_folder
from ptyrun.study.stage import BASELINE, PINN
from ptyrun.study.summaries.manifest import Key
from ptyrun.study.task import Task

MAX_BYTES = 2**26
_FILTERS = ("dose", "view", "split")


def list_comparisons(task: Task) -> None:
    """Make ``comparison_manifest.json`` and ``comparison_summary.txt`` from the comparisons' logs.

    Paths are those of the commands: where the files lay when they were compared.
    """
    jobs, ends = [], []
    for each in task.stage.inputs:
        if each.path.name == analysis.COMPARISON_LOG:
            key, words, code = _ran(each.name, each.path)
            named = {"dose": int(key.dose), "view": key.view, "split": key.split}
            jobs.append({**named, **_job(task.hub, key, words)})
            log = str(PurePosixPath(each.name).relative_to(analysis.FOLDER))
            ends.append({**named, "returncode": code, "log_path": log})
    filters = {name: task.value(name) for name in _FILTERS}
    n_failed = sum(each["returncode"] != 0 for each in ends)
    document = {
        "n_jobs": len(jobs),
        "filters": filters,
        "jobs": jobs,
        "execution_results": ends,
        "n_success": len(ends) - n_failed,
        "n_failed": n_failed,
    }
    manifest, summary = task.outputs()
    durable.write_text(manifest, json.dumps(document, indent=2))
    durable.write_text(summary, _text(jobs, filters))


def _ran(name: str, path: Path) -> tuple[Key, dict[str, str], int]:
    """Which comparison a log is of, its command's words with their values, and its return code."""
    _, dose, view, split, _ = PurePosixPath(name).parts
    key = Key(float(dose.removeprefix("dose_")), view, split)
    try:
        words, code = command_in(read_text(path, MAX_BYTES))
        return key, {**dict.fromkeys(words, ""), **dict(pairwise(words))}, code
    except ValueError as error:
        raise DamageError(
            f"{name} is not the log of a comparison",
            why=str(error),
            do="delete it: `ptyrun study run` makes it again",
        ) from error


def _job(hub: Hub, key: Key, words: Mapping[str, str]) -> dict[str, Any]:
    pinn = checkpoint(hub.path(pinn_folder(key.dose, key.view)))
    baseline = checkpoint(hub.path(baseline_folder(key.dose)))
    return {
        "phase_c_npz": words["--test_data"],
        "pinn_checkpoint": f"{words[MODELS[PINN]]}/{pinn.name}",
        "baseline_checkpoint": f"{words[MODELS[BASELINE]]}/{baseline.name}",
        "phase_f_npz": words["--tike_recon_path"],
        "ms_ssim_sigma": float(words["--ms-ssim-sigma"]),
        "skip_registration": "--skip-registration" in words,
        "register_ptychi_only": "--register-ptychi-only" in words,
    }


def _text(jobs: list[dict[str, Any]], filters: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name}={value}" for name, value in filters.items())
    lines = ["Phase G Comparison Jobs Summary", "=" * 50, "", f"Total jobs: {len(jobs)}"]
    lines += [f"Filters: {said}", "", "Job Enumeration:"]
    for number, job in enumerate(jobs, 1):
        place = f"dose={job['dose']} view={job['view']:<6} split={job['split']:<5}"
        lines.append(f"  {number:2d}. {place}")
    return "\n".join(lines) + "\n"

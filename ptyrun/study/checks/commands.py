"""Did each comparison run with what the manifest says of it? By the command in its log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from ptyrun.errors import PtyrunError
from ptyrun.study import analysis
from ptyrun.study.comparison_log import command_in
from ptyrun.study.files import HubFiles
from ptyrun.study.hub import dose_name
from ptyrun.study.summaries.manifest import Key, Manifest

# What a job says, the word of the command for it, and what of the path the command names.
PATHS = {
    "phase_c_npz": ("--test_data", False),
    "pinn_checkpoint": ("--pinn_dir", True),
    "baseline_checkpoint": ("--baseline_dir", True),
}
SIGMA = "--ms-ssim-sigma"
FLAGS = {
    "skip_registration": "--skip-registration",
    "register_ptychi_only": "--register-ptychi-only",
}


def command_faults(
    files: HubFiles, manifest: Manifest, document: Mapping[str, Any]
) -> Iterator[str]:
    """Say what of a job is of another comparison, or contradicts the command that was run."""
    for each in manifest.executions:
        if f"{analysis.FOLDER}/{each.log_path}".rpartition("/")[0] != each.key.folder:
            yield f"the log of {each.key} is that of another comparison: {each.log_path!r:.80}"
    for key, job in zip(manifest.jobs, document["jobs"], strict=True):
        yield from _place_faults(key, job)
        words = _command(files, f"{key.folder}/{analysis.COMPARISON_LOG}")
        for said, ran in _contradictions(job, words):
            yield f"{key} ran with {ran!r:.80}, and the manifest says {said!r:.80}"


def _place_faults(key: Key, job: Mapping[str, Any]) -> Iterator[str]:
    for name in PATHS:
        path = job.get(name)
        if not isinstance(path, str):
            continue
        parts = PurePosixPath(path).parts
        doses = [part for part in parts if part.startswith("dose_")]
        if doses and dose_name(key.dose) not in doses:
            yield f"{name} of {key} is of another dose: {path!r:.80}"
    data = job.get("phase_c_npz")
    if isinstance(data, str) and not data.endswith(f"_{key.split}.npz"):
        yield f"phase_c_npz of {key} is of another split: {data!r:.80}"


def _command(files: HubFiles, name: str) -> list[str]:
    """The words of the command in a log; none if it tells none."""
    try:
        return command_in(files.text(name))[0]
    except (PtyrunError, ValueError):
        return []  # the logs' check says so


def _contradictions(job: Mapping[str, Any], words: list[str]) -> Iterator[tuple[object, object]]:
    if not words:
        return
    given = dict(pairwise(words))
    for name, (word, is_folder) in PATHS.items():
        said = job.get(name)
        if isinstance(said, str) and word in given:
            expected = said.rpartition("/")[0] if is_folder else said
            if given[word] != expected:
                yield said, f"{word} {given[word]}"
    sigma = job.get("ms_ssim_sigma", given.get(SIGMA))
    if given.get(SIGMA, str(sigma)) != str(sigma):
        yield f"ms_ssim_sigma {sigma}", f"{SIGMA} {given[SIGMA]}"
    for name, word in FLAGS.items():
        if name in job and job[name] is not (word in words):
            yield f"{name} {job[name]}", word if word in words else f"no {word}"

"""Was just this comparison completed before, and is all of it still there?

Told from sizes, inodes and times of files and from the ledger, without reading an input: whatever
leaves a doubt is answered by planning, which looks at everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ptyrun import __version__
from ptyrun.comparison import asked, currency, standing
from ptyrun.comparison.fingerprints import Fingerprints, identity
from ptyrun.comparison.model_facts import BESIDE, OPTION
from ptyrun.comparison.run import Run
from ptyrun.config import OWN_BACKENDS, CompareConfig
from ptyrun.engine import ownership
from ptyrun.errors import PtyrunError
from ptyrun.host import durable, trees
from ptyrun.host.documents import digest_of
from ptyrun.host.regular import read_text
from ptyrun.results import Results

MAX_BYTES = 2**27  # every file of a model's folder is named


def remember(config: CompareConfig) -> None:
    """Note what was asked for and is complete now; a hint."""
    run = Run(config.output_dir)
    with suppress(OSError, ValueError, PtyrunError):
        durable.write_hint(run.paths.asked, ownership.signed(_facts(config, run)).encode())


def answer(config: CompareConfig) -> Results | None:
    """Give the results of a comparison that is complete as it is asked for; None in any doubt."""
    run = Run(config.output_dir)
    paths = run.paths
    try:
        known = ownership.read_signed(read_text(paths.asked, MAX_BYTES))
        if known != _facts(config, run):
            return None
        fingerprints = Fingerprints(paths.digests)
        if not standing.stand(run, fingerprints):
            return None
        report = currency.report_made_from(run.manifest, run.progress, paths)
        is_current = currency.is_current(paths.report, report, fingerprints)
        return currency.results_of(paths, run.manifest) if is_current else None
    except (OSError, ValueError, PtyrunError):
        return None


def _facts(config: CompareConfig, run: Run) -> dict[str, Any]:
    manifest = run.manifest
    inputs = [config.scan, *run.sources.scan_files, *(arm.path for arm in config.arms)]
    if config.groups_from is not None:
        inputs.append(config.groups_from)
    if config.ground_truth_file is not None:
        inputs.append(config.ground_truth_file)
    return {
        "schema": 1,
        "ptyrun": __version__,
        "asked": asked.words(config),
        "folder": str(Path.cwd()),
        "manifest": [manifest.digest, digest_of(dict(manifest.sources))],
        "inputs": {str(path): [*_identities(path)] for path in inputs},
        "frameworks": {arm.name: _framework(arm.facts) for arm in manifest.arms},
    }


def _identities(path: Path) -> list[list[Any]]:
    """Name, size, inode and times of a file, or of a folder and all that is in it."""
    found = [_identity(path)]
    if path.is_dir():
        for folder, folders, others in trees.walk(path):
            found += [_identity(folder / name) for name in (*folders, *others)]
    return sorted(found)


def _identity(path: Path) -> list[Any]:
    return [str(path), *identity(path)]


def _framework(facts: Mapping[str, Any]) -> str | None:
    """The framework as it is installed; what `_facts` does not see is always planned again."""
    if facts.get("backend") not in (None, *OWN_BACKENDS) or any(
        OPTION in name or name.startswith(BESIDE) for name in facts
    ):
        raise ValueError("code of another package, or a file beside the model, may have changed")
    if facts.get("framework") is None:
        return None
    name = str(facts["framework"]).split(" ")[0]
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError as error:
        raise ValueError(str(error)) from error

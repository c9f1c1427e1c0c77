"""A finished run whose documents somebody rewrote: checksums are not signature."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest
from ptyrun.host.documents import canonical_json
from ptyrun.paths import RunPaths
from tests.stages import finished_run


def write(folder: Path) -> RunPaths:
    """A finished run, as it was sent."""
    return finished_run.write(folder)


def reworked(paths: RunPaths, edit: Callable[[ArmPlan], ArmPlan], arm: str = "pinn") -> Manifest:
    """Rewrite what the manifest says of one arm, all digests as they must be."""
    manifest = Manifest.load(paths.manifest)
    arms = tuple(edit(each) if each.name == arm else each for each in manifest.arms)
    changed = Manifest(manifest.shared, arms, manifest.sources)
    paths.manifest.write_text(changed.to_json())
    return changed


def redigested(document: dict[str, object]) -> str:
    """A document that no class would write, under the digests of a manifest."""
    import hashlib

    body = {name: value for name, value in document.items() if name not in ("digest", "sha256")}
    identity = {name: value for name, value in body.items() if name != "sources"}
    body["digest"] = hashlib.sha256(canonical_json(identity).encode()).hexdigest()
    body["sha256"] = hashlib.sha256(canonical_json(body).encode()).hexdigest()
    return json.dumps(body, sort_keys=True, indent=1) + "\n"


def with_label(label: str) -> Callable[[ArmPlan], ArmPlan]:
    """An edit that gives an arm another label."""
    return lambda arm: replace(arm, label=label)

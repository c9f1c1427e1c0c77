"""Are a run's input files still those that it was planned with?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.model_facts import BESIDE
from ptyrun.comparison.sources import GROUND_TRUTH_SHA256, Sources, scan_file
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import IdentityError, InputError
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher

_DIGESTS = ("weights_sha256", "reconstruction_sha256")


WHEN_CHANGED = (
    "restore the file; or accept the change with `ptyrun compare ... --invalidate ARM` (an arm) "
    "or --new (the scan)"
)


@dataclass(frozen=True)
class Input:
    """One file or folder that a run was planned with, by its name among the manifest's sources."""

    source: str
    path: Path
    sha256: str
    is_model: bool = False

    def difference(self, found: str) -> str:
        """Say in which digest it differs."""
        return f"SHA-256 was {self.sha256[:12]}…, is {found[:12]}…"


def planned_inputs(manifest: Manifest) -> Iterator[Input]:
    """Name every input whose bytes the manifest names."""
    sources = Sources.of(manifest)
    yield Input("scan", sources.scan, str(manifest.shared["scan_sha256"]))
    for number, path in enumerate(sources.scan_files):
        name = scan_file(number)
        if (sha256 := manifest.shared.get(f"{name}_sha256")) is not None:
            yield Input(name, path, str(sha256))
    if (sha256 := manifest.shared.get(GROUND_TRUTH_SHA256)) and sources.ground_truth is not None:
        yield Input("ground_truth", sources.ground_truth, str(sha256))
    for arm in manifest.arms:
        for fact in _DIGESTS:
            if (sha256 := arm.facts.get(fact)) is not None:
                path, is_model = sources.arms[arm.name], fact == "weights_sha256"
                yield Input(f"arm.{arm.name}", path, str(sha256), is_model)
        for fact, sha256 in arm.facts.items():
            if fact.startswith(BESIDE):
                path = sources.arms[arm.name].parent / fact.removeprefix(BESIDE)
                yield Input(f"arm.{arm.name}", path, str(sha256), is_model=True)


def refuse_changed_inputs(
    manifest: Manifest, fingerprints: Fingerprints, *, models_are_read: bool = True
) -> None:
    """See that every input file still is the one that was planned with.

    Parameters
    ----------
    manifest : Manifest
    fingerprints : Fingerprints
        What is known of files that stay as they are is not found again.
    models_are_read : bool
        Without it, a model that is gone does not matter; a changed one does.

    Raises
    ------
    IdentityError
        If one is not; the error names it.
    InputError
        If one cannot be read.
    """
    for each in planned_inputs(manifest):
        if each.is_model and not models_are_read and not each.path.exists():
            continue
        try:
            found = fingerprints.of(each.path)
        except InputError as error:
            raise error.with_hint(
                "if the file was moved, give its new place to the command that planned the run: "
                "nothing is computed again"
            ) from error
        if found != each.sha256:
            raise IdentityError(
                f"{each.source} changed: {each.path}",
                why=each.difference(found),
                do=WHEN_CHANGED,
            )


def changed_inputs(manifest: Manifest, fingerprints: Fingerprints) -> Iterator[tuple[Input, str]]:
    """Give the inputs that are there and are others now, each with how it differs.

    What is absent or cannot be read is passed over: a finished run may be moved alone.
    """
    for each in planned_inputs(manifest):
        try:
            found = fingerprints.of(each.path) if each.path.exists() else each.sha256
        except (InputError, OSError):
            continue
        if found != each.sha256:
            yield each, each.difference(found)


def warn_of_changed_inputs(manifest: Manifest, paths: RunPaths, watcher: Watcher) -> list[str]:
    """Say which inputs are others now than those that the run was planned with."""
    said = [
        f"{each.source} changed since the run was planned: {each.path} ({why})"
        for each, why in changed_inputs(manifest, Fingerprints(paths.digests, is_kept=False))
    ]
    for text in said:
        watcher.warn(text)
    return said

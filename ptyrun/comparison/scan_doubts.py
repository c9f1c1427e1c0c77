"""Do a scan's object, frames and positions belong together? Asked once, for plan and results."""

from __future__ import annotations

from ptyrun import __version__
from ptyrun.comparison.kept import Kept
from ptyrun.comparison.steps import Steps, Texts, file_name
from ptyrun.engine.manifest import Manifest
from ptyrun.host.documents import digest_of
from ptyrun.paths import RunPaths
from ptyrun.ptycho.consistency import verdict
from ptyrun.ptycho.readers.opening import Scan

STEP = "judge the scan"


def judged(scan: Scan) -> Texts:
    """Find out why they hardly belong together, if they do."""
    return Texts(verdict.truth_doubts(scan))


def keep(paths: RunPaths, manifest: Manifest, found: Texts) -> None:
    """Keep what planning found, once its plan stands: results take it over."""
    Kept(paths.steps).save(file_name(STEP), _key(manifest), found.finding())


def taken(steps: Steps, manifest: Manifest, scan: Scan) -> Texts:
    """Give what planning found; where that is not known, find it."""
    return steps.taken(STEP, _key(manifest), Texts.of, lambda: judged(scan))


def _key(manifest: Manifest) -> str:
    return digest_of([__version__, dict(manifest.shared)])

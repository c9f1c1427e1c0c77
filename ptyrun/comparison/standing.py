"""Do the results of a run stand as they are? Told in a moment, without what would make them."""

from __future__ import annotations

from pathlib import Path

from ptyrun.comparison import currency
from ptyrun.comparison.checked_chunks import CheckedChunks
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.planned_inputs import refuse_changed_inputs
from ptyrun.comparison.run import Run
from ptyrun.engine import ownership
from ptyrun.errors import PtyrunError
from ptyrun.results import Results


def results(run_dir: Path, *, adopt: bool = False) -> Results | None:
    """Give the results if ``finalize`` would leave them as they are; None in any doubt.

    All is asked that ``finalize`` asks: whether the run is believed and complete, whether inputs
    and result files are what they were, and whether no chunk was touched since it was read.
    """
    run = Run(run_dir)
    paths = run.paths
    try:
        manifest = run.manifest
        ownership.require_own(manifest, paths, adopt=adopt)
        fingerprints = Fingerprints(paths.digests)
        refuse_changed_inputs(manifest, fingerprints, models_are_read=False)
        return currency.results_of(paths, manifest) if stand(run, fingerprints) else None
    except (OSError, ValueError, PtyrunError):
        return None  # finalize itself says what is wrong


def stand(run: Run, fingerprints: Fingerprints) -> bool:
    """Whether chunks and results are all there, unchanged, and nothing is left to sweep.

    Raises
    ------
    OSError, ValueError, PtyrunError
        If something of the run cannot be read.
    """
    paths, progress = run.paths, run.progress
    # What an interrupted finalize left is swept by the next one.
    if progress.chunks_left() or not paths.results.exists() or paths.unpublished.exists():
        return False
    made_from = currency.results_made_from(run.manifest, progress)
    if not currency.results_are_current(paths, run.manifest, made_from, fingerprints):
        return False
    checked = CheckedChunks(paths)
    return not any(True for arm in progress.arms.values() for _ in checked.touched(arm))

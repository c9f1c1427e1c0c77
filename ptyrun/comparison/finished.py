"""What did ``finalize`` leave, for stages that show it or hand it on?"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import currency, objects, publishing, ring_curves
from ptyrun.comparison.ring_curves import RingCurve
from ptyrun.comparison.run import Run
from ptyrun.comparison.sources import Sources
from ptyrun.config import Presentation
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import DamageError, SchemaError, UnfinishedError
from ptyrun.host.regular import read_text
from ptyrun.paths import RunPaths
from ptyrun.results import Results
from ptyrun.texts import printable

CURVES = ("amplitude_frc", "phase_frc")
MAX_TABLE_BYTES = 2**26


@dataclass(frozen=True)
class FinishedRun:
    """A finalized run, opened for reading; arms in the order of the plan."""

    run: Run
    results: Results

    @classmethod
    def open(cls, run: Run, *, is_alone: bool = False) -> FinishedRun:
        """See that a run has results, and that they are its own.

        Parameters
        ----------
        run : Run
        is_alone : bool
            Whether the caller sees to it that nobody makes results meanwhile.

        Raises
        ------
        InputError
            If the run is not planned.
        UnfinishedError
            If it is not finalized, or its results belong to another manifest.
        DamageError
            If a file of its results is not what ``finalize`` wrote.
        """
        paths, manifest = run.paths, run.manifest
        made = publishing.results(paths)
        made.settle() if is_alone else publishing.settle(paths, made)
        if not paths.results.exists() or not paths.objects.exists():
            raise UnfinishedError(
                f"{run.folder} has no results yet",
                why=f"there is no {paths.results.name}",
                do="complete the run, then `ptyrun finalize`; `ptyrun preview` shows what is there",
            )
        while (problems := publishing.problems(paths, made, is_alone=is_alone)) is None:
            publishing.settle(paths, made)
        for name, why in problems:
            raise DamageError(
                f"the results in {run.folder} are damaged: {name}",
                why=why,
                do="run `ptyrun finalize` again",
            )
        results = currency.results_of(paths, manifest)
        if results.manifest_digest != manifest.digest:
            raise _of_another_run(
                run.folder,
                f"they quote manifest {results.manifest_digest[:12]}…, it is "
                f"{manifest.digest[:12]}…",
            )
        planned = {arm.name for arm in manifest.arms}
        if others := sorted(planned ^ results.arms.keys()):
            raise _of_another_run(
                run.folder, f"only one of the manifest and them has arm {printable(others[0])!r}"
            )
        return cls(run, results)

    @property
    def paths(self) -> RunPaths:
        """Where its files lie."""
        return self.run.paths

    @property
    def manifest(self) -> Manifest:
        """What it computed."""
        return self.run.manifest

    @property
    def sources(self) -> Sources:
        """Where its inputs lay, and how it is shown."""
        return Sources.of(self.manifest)

    @property
    def pixel_size_m(self) -> float | None:
        """Object pixel in metres, where somebody or the scan said it."""
        said = Presentation.from_facts(self.manifest.sources).pixel_size_m
        return said or self.results.pixel_size_m

    @property
    def labels(self) -> dict[str, str]:
        """What each arm is called in tables."""
        return {name: arm.label for name, arm in self.results.arms.items()}

    def array(self, path: str) -> NDArray[Any] | None:
        """Array of ``objects.zarr``; None if there is none of that path."""
        return objects.read(self.paths, path)

    @property
    def ring_curves(self) -> tuple[RingCurve, ...]:
        """Standard correlations of arms with the reference and with each other."""
        return ring_curves.read(self.paths.ring_curves)

    def frc_curves(self, arm: str) -> dict[str, NDArray[np.float64]] | None:
        """Read ``amplitude_frc`` and ``phase_frc``, ring by ring; None without ground truth.

        Where one is shorter, NaN stands in for what it lacks.
        """
        path = self.paths.frc_curves(arm)
        try:
            rows = list(csv.DictReader(io.StringIO(read_text(path, MAX_TABLE_BYTES))))
            return {name: np.array([float(row[name] or "nan") for row in rows]) for name in CURVES}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise SchemaError(
                f"{path} has no FRC curves",
                why=f"{type(error).__name__}: {error}",
                do="run `ptyrun finalize` again",
            ) from error


def _of_another_run(folder: Path, why: str) -> UnfinishedError:
    return UnfinishedError(
        f"the results in {folder} are not of this run", why=why, do="run `ptyrun finalize` again"
    )

"""What does a run hold that was computed? Its figures and arrays, with names and units."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptyrun.comparison.run import Run as Folder
from ptyrun.errors import UnfinishedError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ptyrun.comparison.finished import FinishedRun
    from ptyrun.door.arrays import Coordinates, Labelled
    from ptyrun.engine.arm_plan import ArmPlan

    Array = xr.DataArray | Labelled


@dataclass(frozen=True)
class Contents:
    """What can be read of a run; see `ptyrun.Run`."""

    folder: Path

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of what is compared, in the order of the plan."""
        return tuple(arm.name for arm in Folder(self.folder).manifest.arms)

    @property
    def metrics(self) -> pd.DataFrame | list[dict[str, Any]]:
        """Every figure of every arm, one a row: a DataFrame where pandas is installed, else dicts.

        Columns: arm (two, as in ``a/b``, where they are held against each other), label,
        definition, metric, component (``amplitude``, ``phase`` or ``value``), value, low and high
        (between which it lies by chance, with 95 %; NaN where that was not found), source,
        why_none, bound.
        Definitions: ``upstream`` (PtychoPINN's, on each arm's own pixels), ``standard`` (the
        literature's, on the pixels that all arms cover), ``own`` (the same, on all that the arm
        covers) and ``diagnostic`` (of predictions as they are). A resolution whose correlation
        never crosses its threshold up to Nyquist is 1, and bound is ``>=``; a figure that cannot be
        told is NaN, and why_none says why.

        Raises
        ------
        UnfinishedError
            If the run is not finalized.

        Examples
        --------
        >>> len(run.metrics) > 20
        True
        >>> [*run.metrics.columns][5:8]
        ['value', 'low', 'high']
        """
        from ptyrun.report.long_table import metrics_csv, read

        rows = read(metrics_csv(self._finished().results))
        try:
            import pandas as pd
        except ImportError:
            return rows
        return pd.DataFrame(rows)

    def object(self, arm: str) -> Array:
        """Give an arm's object, as stitched.

        Parameters
        ----------
        arm : str
            Its name, one of `arms`.

        Returns
        -------
        xarray.DataArray
            (H, W) complex64, dimensionless; coordinates ``y`` and ``x`` in object pixels. Without
            xarray an object with the same ``values``, ``dims``, ``coords`` and ``attrs``.

        Raises
        ------
        UnfinishedError
            If the run is not finalized.
        UsageError
            If there is no such arm.

        Examples
        --------
        >>> found = run.object("first")
        >>> found.dims, found.values.dtype.name
        (('y', 'x'), 'complex64')
        """
        return self._image(self._arm(arm).name, "object")

    def coverage(self, arm: str) -> Array:
        """Say how many patches cover each pixel of an arm's object, (H, W); see `object`.

        Parameters
        ----------
        arm : str
            Its name, one of `arms`.

        Raises
        ------
        UnfinishedError
            If the run is not finalized.
        UsageError
            If there is no such arm.

        Examples
        --------
        >>> bool((run.coverage("first").values > 0).any())
        True
        """
        return self._image(self._arm(arm).name, "coverage")

    def patches(self, arm: str) -> Array:
        """Give an arm's predicted patches, read from the disk when they are sliced.

        Parameters
        ----------
        arm : str
            Its name, one of `arms`.

        Returns
        -------
        xarray.DataArray
            (G, N, N) complex64, dimensionless; coordinates ``centre_y`` and ``centre_x`` (G,) in
            object pixels say where each is laid. NaN where a chunk is not committed.

        Raises
        ------
        UsageError
            If there is no such arm, or it is a finished reconstruction.
        DamageError
            If the array on disk is not as planned.
        """
        from ptyrun.comparison.assembly import open_patches
        from ptyrun.comparison.group_tables import ArmIndex
        from ptyrun.door.arrays import on_disk
        from ptyrun.engine.store import compression_of, require_planned

        plan, run = self._arm(arm), Folder(self.folder)
        if not plan.n_chunks:
            raise UsageError(
                f"arm {arm!r} has no patches",
                why="it is a finished reconstruction",
                do="take its object",
            )
        require_planned(run.paths, plan, compression_of(run.manifest))
        centres_px = ArmIndex.read(run.paths, plan).centres_px[:]
        places: Coordinates = {
            "centre_y": ("group", centres_px[:, 0], "px"),
            "centre_x": ("group", centres_px[:, 1], "px"),
        }
        array = open_patches(run.paths, plan)
        return on_disk(array, run.paths.arrays, ("group", "y", "x"), places)

    def frc(self, arm: str, definition: str = "upstream") -> Array:
        """Give an arm's Fourier ring correlation with what it is measured against.

        Parameters
        ----------
        arm : str
            Its name, one of `arms`.
        definition : {"upstream", "standard"}
            PtychoPINN's formula, or the curve that the report plots: tapered, with its sign, on the
            pixels that all arms cover.

        Returns
        -------
        xarray.DataArray
            (2, R) float64, or (3, R) by the standard; coordinates ``component`` (amplitude, phase,
            field) and ``frequency`` in fractions of Nyquist.

        Raises
        ------
        UnfinishedError
            If the run is not finalized, or nothing was measured against.
        UsageError
            If there is no such arm or definition.

        Examples
        --------
        >>> run.frc("first").dims
        ('component', 'frequency')
        >>> run.frc("first", "standard").coords["component"].values.tolist()
        ['amplitude', 'phase', 'field']
        """
        import numpy as np

        from ptyrun.door.arrays import labelled

        finished, name = self._finished(), self._arm(arm).name
        found = _correlations(finished, name, definition)
        if found is None:
            raise UnfinishedError(
                f"arm {arm!r} has no ring correlation",
                why="there is nothing to correlate it with, or no pixels for it",
                do="compare arms with each other: `metrics` has their pairs",
            )
        components, frequencies, values = found
        places: Coordinates = {
            "component": ("component", np.array(components), ""),
            "frequency": ("frequency", frequencies, "Nyquist"),
        }
        return labelled(values, ("component", "frequency"), places, "frc")

    def plot(self) -> Figure:
        """Draw phase, amplitude and errors of each arm, and what it is held against, in one scale.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        UnfinishedError
            If the run is not finalized.

        Examples
        --------
        >>> len(run.plot().axes) >= 6
        True
        """
        from ptyrun.comparison.figures import comparison_figure
        from ptyrun.config import EvaluationOptions, Presentation

        finished = self._finished()
        shown = Presentation.from_facts(finished.manifest.sources)
        options = EvaluationOptions.from_facts(finished.manifest.shared)
        drawn = comparison_figure(finished.results, shown, options.alignment, finished.array)
        if drawn is None:
            raise UnfinishedError(
                "there is nothing to draw",
                why="the results have no object of any arm",
                do="run `ptyrun finalize` again",
            )
        return drawn

    def _image(self, arm: str, name: str) -> Array:
        from ptyrun.door.arrays import labelled

        finished = self._finished()
        values = finished.array(f"{arm}/{name}")
        if values is None:
            raise UnfinishedError(
                f"the results have no {name} of arm {arm!r}",
                why="they were made before it was planned, or lost it",
                do="run `ptyrun finalize` again",
            )
        places: Coordinates = {
            axis: (axis, along, "px")
            for axis in ("y", "x")
            if (along := finished.array(f"{arm}/{axis}")) is not None
        }
        return labelled(values, ("y", "x"), places, name)

    def _finished(self) -> FinishedRun:
        from ptyrun.comparison.finished import FinishedRun

        return FinishedRun.open(Folder(self.folder))

    def _arm(self, name: str) -> ArmPlan:
        return Folder(self.folder).manifest.arm(name)


def _correlations(
    finished: FinishedRun, arm: str, definition: str
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]] | None:
    """Give components, frequencies (R,) and an arm's correlations (2 or 3, R) with its measure."""
    import numpy as np

    from ptyrun.comparison.ring_curves import REFERENCE

    if definition == "standard":
        own = [
            curve
            for curve in finished.ring_curves
            if (curve.first, curve.second) == (arm, REFERENCE)
        ]
        if not own:
            return None
        values = np.stack([curve.correlation for curve in own])
        return [curve.quantity for curve in own], own[0].frequencies, values
    if definition != "upstream":
        raise UsageError(
            f"there is no definition {definition!r}",
            why="ring correlations are by PtychoPINN's formula or by the literature's",
            do='use "upstream" or "standard"',
        )
    curves, aligned = finished.frc_curves(arm), finished.array(f"{arm}/aligned")
    if aligned is None or curves is None:
        return None
    values = np.stack([*curves.values()])
    return ["amplitude", "phase"], np.arange(values.shape[1]) / (min(aligned.shape) / 2), values

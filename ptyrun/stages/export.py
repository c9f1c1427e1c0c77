"""How do results and objects reach tools that do not know Zarr?"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptyrun import __version__
from ptyrun.comparison import artifacts
from ptyrun.comparison.finished import FinishedRun
from ptyrun.comparison.planned_inputs import warn_of_changed_inputs
from ptyrun.comparison.run import Run
from ptyrun.errors import UsageError, refuse_unknown
from ptyrun.host import durable
from ptyrun.host.free_place import require_free
from ptyrun.progress import SILENT, Watcher
from ptyrun.report import long_table
from ptyrun.texts import encodable

IMAGES = ("object", "coverage", "aligned", "aligned_truth", "aligned_covered")
_TRUTH = "ground_truth"


class ExportFormat(StrEnum):
    """What can be written."""

    CSV = "csv"
    NPZ = "npz"
    HDF5 = "hdf5"


_ENDINGS = {
    ExportFormat.CSV: (".csv",),
    ExportFormat.NPZ: (".npz",),
    ExportFormat.HDF5: (".h5", ".hdf5", ".hdf"),
}


def export(
    run_dir: Path,
    format: ExportFormat | str,
    out: Path,
    *,
    overwrite: bool = False,
    watcher: Watcher = SILENT,
) -> Path:
    """Write a finalized run's results into one file.

    Parameters
    ----------
    run_dir : Path
        The folder of a finalized run.
    format : {"csv", "npz", "hdf5"}
        csv: every figure as a long table. npz: objects, curves and figures by name, nothing
        pickled. hdf5: the same in groups, with units and axes as attributes.
    out : Path
        The file to write.
    overwrite : bool
        Whether a file that is there may be replaced.
    watcher : Watcher
        Warned of inputs that changed since the run was planned.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    UsageError
        If the format is unknown, the file exists, or lies in the run's folder.
    UnfinishedError
        If the run is not finalized.
    """
    refuse_unknown([format], [*ExportFormat], "there is no export format {}")
    artifacts.require_outside(Run(run_dir).paths, out)
    require_free(out, overwrite=overwrite)
    run = FinishedRun.open(Run(run_dir))
    warn_of_changed_inputs(run.manifest, run.paths, watcher)
    writers = {ExportFormat.CSV: _csv, ExportFormat.NPZ: _npz, ExportFormat.HDF5: _hdf5}
    durable.make_folder(out.parent)
    durable.write_atomic(out, writers[ExportFormat(format)](run))
    return out


def format_of(out: Path) -> ExportFormat:
    """Tell the format from the name of the file to be written.

    Raises
    ------
    UsageError
        If the name does not say.
    """
    for chosen, endings in _ENDINGS.items():
        if out.suffix.lower() in endings:
            return chosen
    raise UsageError(
        f"{out} does not say what to write",
        why=f"names end in {', '.join(ending for found in _ENDINGS.values() for ending in found)}",
        do="use --format csv, npz or hdf5",
    )


def _csv(run: FinishedRun) -> bytes:
    return long_table.metrics_csv(run.results).encode()


def _figures(run: FinishedRun) -> dict[str, NDArray[Any]]:
    """Columns of the table of figures: texts, but for the numbers."""
    rows = long_table.read(long_table.metrics_csv(run.results))
    return {
        name: np.array(
            [row[name] for row in rows], np.float64 if name in long_table.NUMBERS else np.str_
        )
        for name in long_table.COLUMNS
    }


def _images(run: FinishedRun) -> Iterator[tuple[str, str, NDArray[Any]]]:
    for owner in (*run.results.arms, _TRUTH):
        for image in IMAGES:
            values = run.array(f"{owner}/{image}")
            if values is not None:
                yield owner, image, values


def _curves(run: FinishedRun) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    for arm in run.results.arms:
        table = run.frc_curves(arm)
        if table is not None:
            for curve, values in table.items():
                yield arm, curve, values


def _npz(run: FinishedRun) -> bytes:
    arrays: dict[str, NDArray[Any]] = {
        f"{owner}_{name}": values for owner, name, values in (*_images(run), *_curves(run))
    }
    arrays |= {f"metrics_{column}": values for column, values in _figures(run).items()}
    arrays["manifest_digest"] = np.array(run.manifest.digest)
    arrays["pixel_size_m"] = np.array(run.pixel_size_m or np.nan)
    memory = io.BytesIO()
    np.savez_compressed(memory, allow_pickle=False, **arrays)
    return memory.getvalue()


def _hdf5(run: FinishedRun) -> bytes:
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.attrs["manifest_digest"] = run.manifest.digest
        file.attrs["ptyrun_version"] = __version__
        if run.pixel_size_m is not None:
            file.attrs["pixel_size"] = run.pixel_size_m
            file.attrs["pixel_size_units"] = "m"
        for arm, result in run.results.arms.items():
            group = file.create_group(arm)
            group.attrs["label"], group.attrs["kind"] = result.label, encodable(result.kind)
            if result.mismatch:
                group.attrs["mismatch"] = encodable(result.mismatch)
        for owner, image, values in _images(run):
            _put_image(file.require_group(owner), image, values, run)
        for arm, curve, values in _curves(run):
            data = file[arm].create_dataset(curve, data=values)
            data.attrs["units"] = "1"
            data.dims[0].label = "frequency_bin"
        _put_figures(file.create_group("metrics"), _figures(run))
    return memory.getvalue()


def _put_image(group: h5py.Group, name: str, values: NDArray[Any], run: FinishedRun) -> None:
    data = group.create_dataset(name, data=values, compression="gzip", shuffle=True)
    data.attrs["units"] = "1"
    prefix = "aligned_" if name.startswith("aligned") else ""
    for axis, letter in enumerate("yx"):
        scale = f"{prefix}{letter}"
        data.dims[axis].label = scale
        places = run.array(f"{group.name.strip('/')}/{scale}")
        if places is None:
            continue
        if scale not in group:
            group.create_dataset(scale, data=places).make_scale(scale)
            group[scale].attrs["units"] = "px"
        data.dims[axis].attach_scale(group[scale])


def _put_figures(group: h5py.Group, figures: Mapping[str, NDArray[Any]]) -> None:
    for column, values in figures.items():
        if column in long_table.NUMBERS:
            group.create_dataset(column, data=values)
        else:
            text = values.tolist()
            group.create_dataset(column, data=text, dtype=h5py.string_dtype("utf-8"))

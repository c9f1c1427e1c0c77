"""Which files does a finished comparison leave for people and for older tools?"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.common_measures import Together
from ptyrun.comparison.measures import Measures
from ptyrun.comparison.metrics_table import shown_metrics
from ptyrun.comparison.sums import ArmObject
from ptyrun.config import Alignment, Presentation
from ptyrun.host import durable
from ptyrun.paths import RunPaths
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.results import ArmResult, Metric, Results
from ptyrun.texts import as_cell

_UPSTREAM_NAMES = {"pinn": "ptychopinn"}
Cell = str | float | int | None
_ABOUT = {
    Alignment.EXACT: (
        "Complex objects on the object's own pixel grid; offsets (dy, dx) in pixels.",
        "The images that were measured: cropped, registered, trimmed, phase ramp removed.",
    ),
    Alignment.UPSTREAM: (
        "Complex objects, each on a square canvas around its patches; offsets (dy, dx) in pixels.",
        "The images that were measured: cropped and registered, neither trimmed nor flattened.",
    ),
}


def _csv_metrics(arm: ArmResult) -> dict[str, Metric]:
    """Upstream's, the standard ones where all arms are compared, and those of the arm's own pixels.

    The last are left out where they are of the same pixels.
    """
    found = shown_metrics(arm)
    if arm.own is not None and arm.has_own_pixels:
        found |= {f"own_{name}": m for name, m in arm.own.standard.items()}
    return found


def write_metrics_csv(path: Path, results: Results) -> None:
    """Write ``comparison_metrics.csv``: model, metric, amplitude, phase, value."""
    rows = [
        (arm.label, name, *map(_real, (metric.amplitude, metric.phase, metric.value)))
        for arm in results.arms.values()
        for name, metric in _csv_metrics(arm).items()
    ]
    _write_csv(path, ("model", "metric", "amplitude", "phase", "value"), rows)


def write_frc_csv(
    path: Path, label: str, amplitude: NDArray[np.float64], phase: NDArray[np.float64]
) -> None:
    """Write an arm's FRC curves: model, frequency_bin, amplitude_frc, phase_frc."""
    rings = enumerate(zip_longest(amplitude.tolist(), phase.tolist()))
    rows = [(label, ring, *values) for ring, values in rings]
    _write_csv(path, ("model", "frequency_bin", "amplitude_frc", "phase_frc"), rows)


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table, all or nothing; no text in it is a spreadsheet's formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    durable.write_text(path, text.getvalue())


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)  # a whole number is one without fraction in JSON


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return as_cell(value)
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6f}"
    return "" if value is None else str(value)


def write_npz(path: Path, arrays: Mapping[str, NDArray[np.generic]], about: str) -> None:
    """Write arrays and a text that says what they are; nothing in it is pickled."""
    buffer = io.BytesIO()
    # What NumPy's own takes twice as long for is a thirtieth smaller.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    durable.write_atomic(path, buffer.getvalue())
    listing = "\n".join(f"{name}: {a.shape} {a.dtype}" for name, a in sorted(arrays.items()))
    about_path = path.with_name(f"{path.stem}_metadata.txt")
    durable.write_text(about_path, f"{about}\n\n{listing}\n")


def write_reconstructions(
    paths: RunPaths,
    arms: Mapping[str, ArmObject],
    evaluations: Mapping[str, Measures],
    together: Together,
    truth: NDArray[np.complex64] | None,
    presentation: Presentation,
    alignment: Alignment,
) -> None:
    """Write ``reconstructions.npz`` (whole objects) and ``reconstructions_aligned.npz``.

    The second holds arrays of one shape, of the pixels that all arms have: they may be subtracted.
    """
    shifts_px = {name: found.shift for name, found in evaluations.items()}
    about, about_aligned = _ABOUT[alignment]
    if presentation.save_npz:
        square = alignment is Alignment.UPSTREAM
        images = {name: arm.canvas if square else arm.image for name, arm in arms.items()}
        write_npz(paths.reconstructions, _reconstruction_arrays(images, truth, shifts_px), about)
    if not presentation.save_npz_aligned or not evaluations:
        return
    if alignment is Alignment.UPSTREAM:
        pairs = {name: found.pair for name, found in evaluations.items()}
        owner = next(iter(pairs))
        about_aligned = (
            f"{about_aligned} `ground_truth` is cropped as {owner} is; objects.zarr has it as "
            "cropped for each arm."
        )
        arrays = _pair_arrays(pairs, shifts_px)
    elif together.ground is None:
        # Of different pixels each: nothing here may be subtracted.
        pairs = {name: (found.recon, found.truth) for name, found in evaluations.items()}
        about_aligned = f"{about_aligned} The arms cover too few pixels in common: shapes differ."
        arrays = _pair_arrays(pairs, shifts_px)
    else:
        pairs = {name: (found.recon, found.truth) for name, found in together.arms.items()}
        arrays = _pair_arrays(pairs, shifts_px) | {"covered": together.ground.covered}
        region = together.ground.region
        for name, found in evaluations.items():
            own = found.covered[_inside(region, found.region)]
            arrays[f"{_UPSTREAM_NAMES.get(name, name)}_covered"] = own
        arrays["region_px"] = np.array(region.as_tuple())
        about_aligned = (
            f"{about_aligned} All arrays are of the pixels region_px (top, left, height, width) of "
            "the object's grid, which every arm has; figures are of those where `covered` is true, "
            "where every arm is known. ARM_covered says where that arm is."
        )
    write_npz(paths.reconstructions_aligned, arrays, about_aligned)


def _inside(inner: Region, outer: Region) -> tuple[slice, slice]:
    """Where one region lies in an array of another that holds it."""
    top, left = inner.top - outer.top, inner.left - outer.left
    return slice(top, top + inner.height), slice(left, left + inner.width)


def _pair_arrays(
    pairs: Mapping[str, tuple[NDArray[np.complex64], NDArray[np.complex64]]],
    shifts_px: Mapping[str, Shift | None],
) -> dict[str, NDArray[np.generic]]:
    images = {name: pair[0] for name, pair in pairs.items()}
    truth = next(iter(pairs.values()))[1]
    return _reconstruction_arrays(images, truth, shifts_px)


def _reconstruction_arrays(
    images: Mapping[str, NDArray[np.complex64]],
    truth: NDArray[np.complex64] | None,
    shifts_px: Mapping[str, Shift | None],
) -> dict[str, NDArray[np.generic]]:
    """Upstream's keys; what does not exist is a NaN, where upstream pickles a None."""
    missing = np.array(np.nan, np.complex64)
    arrays: dict[str, NDArray[np.generic]] = {}
    for arm, image in {**images, "ground_truth": missing if truth is None else truth}.items():
        name = _UPSTREAM_NAMES.get(arm, arm)
        arrays[f"{name}_amplitude"] = np.abs(image)
        arrays[f"{name}_phase"] = np.angle(image)
        arrays[f"{name}_complex"] = image
    for arm in images:
        shift = shifts_px.get(arm)
        name = _UPSTREAM_NAMES.get(arm, arm)
        arrays[f"{name}_offset_dy"] = np.array(shift.dy_px if shift else np.nan)
        arrays[f"{name}_offset_dx"] = np.array(shift.dx_px if shift else np.nan)
    return arrays

"""What do the overlap views of a scan hold, and are they what they say?"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ptyrun.errors import DamageError
from ptyrun.host import durable
from ptyrun.host.regular import read_text
from ptyrun.host.typed_json import parse_object
from ptyrun.ptycho.geometry.overlap import (
    LEAST_ACCEPTANCE,
    OverlapMetrics,
    acceptance_bound,
    kept_images,
    overlap_metrics,
)
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.study.history import MEMBER, History, Transformation
from ptyrun.study.npz_writer import write_npz
from ptyrun.study.preparing import read_arrays
from ptyrun.study.selection import has_row_per_frame, select_frames
from ptyrun.study.simulating import STAMP
from ptyrun.study.task import Task

MAX_BYTES = 2**20
TOLERANCE = 1e-6
# What upstream's readers look for in a view's `_metadata`.
IN_METADATA = (
    *("gridsize", "s_img", "n_groups", "neighbor_count", "probe_diameter_px"),
    *("rng_seed_subsample", "metrics_version"),
    *("geometry_acceptance_bound", "effective_min_acceptance"),
)


def overlap_view(task: Task) -> None:
    """Make ``SPLIT.npz`` and ``SPLIT_metrics.json``: kept frames, and how they overlap."""
    (source,) = task.stage.inputs
    arrays, history = read_arrays(source.path)
    positions = np.column_stack([arrays["ycoords"], arrays["xcoords"]]).astype(np.float64)
    s_img, seed = float(task.value("s_img")), int(task.value("rng_seed_subsample"))
    metrics = overlap_metrics(
        positions,
        gridsize=int(task.value("gridsize")),
        s_img=s_img,
        n_groups=int(task.value("n_groups")),
        neighbor_count=int(task.value("neighbor_count")),
        probe_diameter_px=float(task.value("probe_diameter_px")),
        rng_seed_subsample=seed,
    )
    kept = kept_images(len(positions), s_img, seed)
    view, figures = task.outputs()
    write_npz(
        view,
        {
            **select_frames(arrays, kept, len(positions)),
            MEMBER: _history(history, metrics).as_member(),
        },
    )
    durable.write_text(figures, json.dumps(dict(metrics), indent=2))
    require_single_values(source.path, view)
    require_acceptance_floor(view, figures)


def _history(history: History, metrics: OverlapMetrics) -> History:
    """What was done to the scan so far, and beside it what upstream's readers look for."""
    said = {name: metrics[name] for name in IN_METADATA}
    step = Transformation("overlap_views", STAMP, "subsample", said)
    return History({**history.with_step(step).facts, **said})


def require_single_values(source: Path, view: Path) -> None:
    """See that what was one value for a whole scan (a dose, a seed) is the same value in a view.

    Upstream's check of this name is ``test_filter_dataset_by_mask_handles_scalar_metadata``.

    Raises
    ------
    DamageError
        If one is missing, or was repeated for every frame.
    """
    before, after = NpzFile(source), NpzFile(view)
    n_frames = before.header("xcoords").shape[0]
    for name in before.names:
        shape = before.header(name).shape
        if name == MEMBER or has_row_per_frame(name, shape, n_frames):
            continue
        if name not in after or after.header(name).shape != shape:
            raise _wrong(view, f"{name} has another shape than in {source.name}, {shape}")
        if not shape and after.array(name).tobytes() != before.array(name).tobytes():
            raise _wrong(view, f"{name} has another value than in {source.name}")


def require_acceptance_floor(view: Path, figures: Path) -> None:
    """See that the geometry bound and its floor are recorded as the view's positions give them.

    Upstream's check of this name is ``test_generate_overlap_views_dense_acceptance_floor``.

    Raises
    ------
    DamageError
        If they are not, in the metrics or in ``_metadata``.
    """
    file = NpzFile(view)
    positions = np.column_stack([file.array("ycoords"), file.array("xcoords")]).astype(np.float64)
    recorded = parse_object(read_text(figures, MAX_BYTES))
    bound = acceptance_bound(positions, float(recorded["probe_diameter_px"]))
    expected = {
        "geometry_acceptance_bound": bound,
        "effective_min_acceptance": max(bound, LEAST_ACCEPTANCE),
    }
    documents: dict[str, Any] = {figures.name: recorded, MEMBER: History.of(file).facts}
    for name, value in expected.items():
        for where, document in documents.items():
            found = document.get(name)
            is_number = isinstance(found, int | float) and not isinstance(found, bool)
            if not is_number or not math.isclose(found, value, rel_tol=TOLERANCE):
                raise _wrong(view, f"{name} in {where} is {found}, and must be {value}")


def _wrong(view: Path, why: str) -> DamageError:
    return DamageError(
        f"{view} is not the view that it says", why=why, do="run `ptyrun study run` again"
    )

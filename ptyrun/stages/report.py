"""How is a finished comparison shown to a person? Draws what ``finalize`` left; nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray

from ptyrun.durations import format_duration
from ptyrun.engine import durable
from ptyrun.engine.manifest import ArmPlan, Manifest
from ptyrun.errors import IdentityError, InputError
from ptyrun.paths import RunPaths
from ptyrun.ptycho import frc
from ptyrun.report import curves, page, pictures, tables, timeline
from ptyrun.results import Results
from ptyrun.stages.command_line import compare_command
from ptyrun.stages.history import History, read_history

LIBRARIES = ("ptyrun", "numpy", "scipy", "scikit-image", "zarr", "pandas", "matplotlib")
_FRC_TEXT = (
    "Correlation of each arm with the ground truth on rings of spatial frequency, by PtychoPINN’s "
    "formula: no taper, centre square of the evaluated region. Where a curve falls below a "
    "threshold, detail finer than that is noise by that criterion."
)
_STYLES = 8
_THRESHOLDS = (
    ("0.5", "t0", frc.fixed(0.5)),
    ("1/7", "t1", frc.fixed(1 / 7)),
    ("½ bit", "t2", frc.bits(0.5)),
    ("1 bit", "t3", frc.bits(1.0)),
)


@dataclass(frozen=True)
class ReportFiles:
    """What was written."""

    html: Path
    markdown: Path
    metrics_csv: Path


def report(run_dir: Path) -> ReportFiles:
    """Write a finalized run's report: a self-contained page, Markdown and CSV.

    Parameters
    ----------
    run_dir : Path
        The folder of a run that ``finalize`` completed.

    Raises
    ------
    InputError
        If the run is not planned or not finalized.
    IdentityError
        If its results belong to another manifest.
    """
    run = _FinishedRun.open(run_dir)
    shown = _page(run)
    folder = run.paths.report
    files = ReportFiles(folder / "index.html", folder / "report.md", folder / "metrics.csv")
    durable.make_folder(folder)
    durable.write_atomic(files.html, page.html(shown).encode())
    durable.write_atomic(files.markdown, page.markdown(shown).encode())
    durable.write_atomic(files.metrics_csv, tables.metrics_csv(run.results).encode())
    return files


@dataclass(frozen=True)
class _FinishedRun:
    """What the page is drawn from."""

    paths: RunPaths
    manifest: Manifest
    results: Results
    history: History
    objects: Any

    @classmethod
    def open(cls, run_dir: Path) -> _FinishedRun:
        paths = RunPaths(run_dir)
        manifest = Manifest.load(paths.manifest)
        if not paths.results.exists() or not paths.objects.exists():
            raise InputError(
                f"{run_dir} has no results yet",
                why=f"there is no {paths.results.name}",
                do="complete the run, then `ptyrun finalize`; `ptyrun preview` shows what is there",
            )
        results = _in_order(Results.load(paths.results), manifest)
        if results.manifest_digest != manifest.digest:
            raise IdentityError(
                f"the results in {run_dir} are not of this run",
                why=f"they quote manifest {results.manifest_digest[:12]}…, it is "
                f"{manifest.digest[:12]}…",
                do="run `ptyrun finalize` again",
            )
        objects = zarr.open_group(paths.objects, mode="r")
        return cls(paths, manifest, results, read_history(paths, manifest), objects)

    @property
    def pixel_size_m(self) -> float | None:
        size = self.manifest.sources.get("pixel_size_m")
        return float(size) if isinstance(size, int | float) else None

    def array(self, path: str) -> NDArray[Any] | None:
        return np.asarray(self.objects[path][...]) if path in self.objects else None

    @property
    def labels(self) -> dict[str, str]:
        return {name: arm.label for name, arm in self.results.arms.items()}

    @property
    def styles(self) -> dict[str, str]:
        return {name: f"c{n % _STYLES}" for n, name in enumerate(self.results.arms)}


def _in_order(results: Results, manifest: Manifest) -> Results:
    """Arms as they were planned; ``results.json`` has them by name."""
    order = [arm.name for arm in manifest.arms if arm.name in results.arms]
    return replace(results, arms={name: results.arms[name] for name in order})


def _page(run: _FinishedRun) -> page.Page:
    results = run.results
    found = [
        tables.standard_table(results),
        tables.upstream_table(results),
        tables.pair_table(results),
        tables.diagnostics_table(results),
    ]
    plots = _frc_plots(run)
    return page.Page(
        title=run.paths.root.resolve().name,
        summary=tuple(_summary(run)),
        warnings=tuple(_warnings(results)),
        notes=tuple(_notes(results)),
        objects=pictures.object_rows(_subjects(run), run.pixel_size_m),
        errors=pictures.error_rows(_comparisons(run), run.pixel_size_m),
        tables=tuple(table for table in found if table.rows),
        plots=plots,
        plots_text=_FRC_TEXT,
        timeline=timeline.draw(run.history.sessions, _computed(run), run.styles),
        provenance=tuple(_provenance(run)),
        command=compare_command(run.manifest, run.paths.root),
    )


def _subjects(run: _FinishedRun) -> list[pictures.Subject]:
    """Every arm, then the truth, cut to where any arm lies; NaN where an arm does not."""
    fields: dict[str, NDArray[Any]] = {}
    covered: list[NDArray[np.bool_]] = []
    for name in run.results.arms:
        field, coverage = run.array(f"{name}/object"), run.array(f"{name}/coverage")
        if field is not None and coverage is not None:
            covered.append(coverage > 0)
            fields[name] = np.where(covered[-1], field, np.nan)
    truth = run.array("ground_truth/object")
    labels = run.labels
    if truth is not None:
        fields["ground-truth"], labels = truth, {**labels, "ground-truth": "Ground truth"}
    return [
        pictures.Subject(name, labels[name], field[_extent(covered, field.shape)])
        for name, field in fields.items()
    ]


def _extent(covered: Sequence[NDArray[np.bool_]], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The smallest rectangle that holds all that is covered, on grids of this shape."""
    known = [mask for mask in covered if mask.shape == shape and mask.any()]
    if not known:
        return (slice(None), slice(None))
    found = np.nonzero(np.logical_or.reduce(known))
    return tuple(slice(int(places.min()), int(places.max()) + 1) for places in found)


def _comparisons(run: _FinishedRun) -> list[pictures.Comparison]:
    found = []
    for name, label in run.labels.items():
        field, truth = run.array(f"{name}/aligned"), run.array(f"{name}/aligned_truth")
        covered = run.array(f"{name}/aligned_covered")
        if field is not None and truth is not None:
            known = field if covered is None else np.where(covered, field, np.nan)
            found.append(pictures.Comparison(name, label, known, truth))
    return found


def _frc_plots(run: _FinishedRun) -> tuple[curves.Plot, ...]:
    return tuple(
        curves.unit_square(
            name=f"frc-{quantity}",
            title=quantity.capitalize(),
            alt=f"Fourier ring correlation of the {quantity} of {', '.join(run.labels.values())}, "
            "over spatial frequency from 0 to Nyquist",
            x_label="spatial frequency / Nyquist",
            y_label="correlation",
            curves=drawn,
        )
        for quantity in ("amplitude", "phase")
        if (drawn := _frc_curves(run, quantity))
    )


def _frc_curves(run: _FinishedRun, quantity: str) -> list[curves.Curve]:
    found: list[curves.Curve] = []
    side_px = 0
    for name, label in run.labels.items():
        path = run.paths.frc_curves(name)
        aligned = run.array(f"{name}/aligned")
        if not path.exists() or aligned is None:
            continue
        table = pd.read_csv(path)
        side_px = min(aligned.shape)
        x = table["frequency_bin"].to_numpy() / (side_px / 2)
        found.append(curves.Curve(label, run.styles[name], x, table[f"{quantity}_frc"].to_numpy()))
    return [*_thresholds(side_px), *found] if found else []


def _thresholds(side_px: int) -> Iterator[curves.Curve]:
    # Bit thresholds depend on how many Fourier pixels a ring has, and these on the side alone.
    anything = np.ones((side_px, side_px))
    rings = frc.ring_correlation(anything, anything)
    for label, style, threshold in _THRESHOLDS:
        yield curves.Curve(label, f"threshold {style}", rings.frequencies, threshold(rings))


def _warnings(results: Results) -> Iterator[page.Statement]:
    for arm in results.arms.values():
        if arm.mismatch:
            yield page.Statement(arm.label, arm.mismatch)


def _notes(results: Results) -> Iterator[page.Statement]:
    if not results.has_ground_truth:
        text = "There is no ground truth: arms are compared with each other only."
        yield page.Statement("", text)
    for note in results.notes:
        yield page.Statement("", note)
    for arm in results.arms.values():
        if arm.notes:
            yield page.Statement(arm.label, "; ".join(arm.notes))


def _computed(run: _FinishedRun) -> dict[str, str]:
    return {arm.name: run.labels[arm.name] for arm in run.manifest.arms if arm.n_chunks}


def _summary(run: _FinishedRun) -> Iterator[page.Fact]:
    scan = Path(str(run.manifest.sources.get("scan", "")))
    sessions = run.history.sessions
    yield page.Fact("Scan", scan.name)
    for arm in run.manifest.arms:
        groups = f"{arm.n_items} groups" if arm.n_items else "finished reconstruction"
        yield page.Fact(run.labels[arm.name], groups)
    if sessions:
        yield page.Fact("Windows", str(len(sessions)))
        total_s = sum(session.lasted_s for session in sessions)
        yield page.Fact("Time in all windows", format_duration(total_s))
    _, _, height, width = run.results.evaluated_region_px
    yield page.Fact("Evaluated region", f"{height} × {width} px")


def _provenance(run: _FinishedRun) -> Iterator[page.Facts]:
    manifest = run.manifest
    yield page.Facts(
        "Run",
        (
            page.Fact("manifest digest", manifest.digest, is_code=True),
            page.Fact("computed by ptyrun", ", ".join(run.history.versions) or "–"),
            page.Fact("on", ", ".join(run.history.hosts) or "–"),
        ),
    )
    for arm in manifest.arms:
        facts = {"fingerprint": arm.fingerprint, "source": _source(manifest, arm), **arm.facts}
        yield page.Facts(run.labels[arm.name], _facts(facts))
    shared = {"scan": manifest.sources.get("scan"), **manifest.shared}
    yield page.Facts("Selection and evaluation", _facts(shared))
    installed = {name: _version(name) for name in LIBRARIES}
    yield page.Facts("Libraries that drew this report", _facts(installed))


def _source(manifest: Manifest, arm: ArmPlan) -> Any:
    return manifest.sources.get(f"arm.{arm.name}")


def _facts(facts: Mapping[str, Any]) -> tuple[page.Fact, ...]:
    return tuple(
        page.Fact(name.replace("_", " "), str(fact), is_code=_is_code(fact))
        for name, fact in facts.items()
        if fact is not None
    )


def _is_code(fact: Any) -> bool:
    return isinstance(fact, str) and (len(fact) >= 16 or "/" in fact)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"

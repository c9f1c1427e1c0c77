"""How is a finished comparison shown to a person? Draws what ``finalize`` left; nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import artifacts, currency, publishing
from ptyrun.comparison.command_line import compare_command
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.finished import FinishedRun
from ptyrun.comparison.history import History, read_history
from ptyrun.comparison.planned_inputs import warn_of_changed_inputs
from ptyrun.comparison.run import Run
from ptyrun.durations import format_duration
from ptyrun.engine import refusal
from ptyrun.engine.costs import Costs
from ptyrun.engine.window import Window
from ptyrun.host import checksums, durable
from ptyrun.progress import SILENT, Watcher
from ptyrun.ptycho.metrics import frc
from ptyrun.report import curves, page, pictures, tables, timeline
from ptyrun.results import Results

LIBRARIES = ("ptyrun", "numpy", "scipy", "scikit-image", "zarr", "matplotlib")
_FRC_TEXT = (
    "Correlation of each arm with the ground truth on rings of spatial frequency, by PtychoPINN’s "
    "formula: no taper, centre square of the evaluated region. Where a curve falls below a "
    "threshold, detail finer than that is noise by that criterion; thresholds are those of one "
    "noisy image against a noise-free one, where the 1/7 of two noisy ones is 0.5."
)
_STYLES = 8
_THRESHOLDS = (  # of one noisy image against a noise-free one
    ("0.5", "t0", frc.fixed(0.5)),
    ("1/7", "t1", frc.against_truth(1 / 7)),
    ("½ bit", "t2", frc.against_truth(frc.level_of_bits(0.5))),
    ("1 bit", "t3", frc.against_truth(frc.level_of_bits(1.0))),
)


@dataclass(frozen=True)
class ReportFiles:
    """What was written."""

    html: Path
    markdown: Path
    metrics_csv: Path


def report(
    run_dir: Path,
    *,
    output: Path | None = None,
    window: Window | None = None,
    has_gone_on: bool = False,
    force: bool = False,
    watcher: Watcher = SILENT,
) -> ReportFiles:
    """Write a finalized run's report: a self-contained page, Markdown and CSV.

    Parameters
    ----------
    run_dir : Path
        The folder of a run that ``finalize`` completed.
    output : Path, optional
        Another folder to write to; the run's is then only read.
    window : Window, optional
        How long this may take.
    has_gone_on : bool
        Whether this window has achieved something already.
    force : bool
        Make it again, even where it would be the same.
    watcher : Watcher
        Warned of inputs that changed since the run was planned.

    Raises
    ------
    InputError
        If the run is not planned.
    UnfinishedError
        If it is not finalized, or its results belong to another manifest.
    UsageError
        If *output* lies in the run's folder.
    WindowClosedError, WindowTooShortError
        If the window is used up, or is known to be too short.
    """
    window = window or Window()
    run = FinishedRun.open(Run(run_dir))
    warn_of_changed_inputs(run.manifest, run.paths, watcher)
    paths = run.paths
    made_from = currency.report_made_from(run.manifest, run.run.progress, paths)
    if output is not None:
        artifacts.require_outside(paths, output)
        durable.make_folder(output)
        _write(run, _files(output), made_from)
        return _files(output)
    files = _files(paths.report)
    with (
        publishing.elsewhere(),
        publishing.alone(paths, watcher, window),
        refusal.noted(paths, run.run.ledger),
    ):
        publication = publishing.report(paths)
        publication.sweep()
        if not force and currency.is_current(paths.report, made_from, Fingerprints(paths.digests)):
            return files
        costs = Costs(paths.costs, run.manifest.digest)
        with costs.measured("report", window, has_gone_on=has_gone_on):
            fresh = publication.begin()
            _write(run, _files(fresh), made_from)
            publication.publish(fresh)
    return files


def _write(run: FinishedRun, files: ReportFiles, made_from: str) -> None:
    shown = _page(run)
    durable.write_text(files.html, page.html(shown))
    durable.write_text(files.markdown, page.markdown(shown))
    durable.write_text(files.metrics_csv, tables.metrics_csv(run.results))
    left = (files.html, files.markdown, files.metrics_csv)
    checksums.write(files.html.parent, left, made_from)


def _files(folder: Path) -> ReportFiles:
    return ReportFiles(folder / "index.html", folder / "report.md", folder / "metrics.csv")


def _page(run: FinishedRun) -> page.Page:
    results = run.results
    history = read_history(run.paths, run.manifest)
    found = [
        tables.standard_table(results),
        tables.own_table(results),
        tables.upstream_table(results),
        tables.pair_table(results),
        tables.diagnostics_table(results),
    ]
    plots = _frc_plots(run)
    return page.Page(
        title=run.paths.root.resolve().name,
        summary=tuple(_summary(run, history)),
        warnings=tuple(_warnings(results)),
        notes=tuple(_notes(results)),
        objects=pictures.object_rows(_subjects(run), run.pixel_size_m),
        errors=pictures.error_rows(_comparisons(run), run.pixel_size_m),
        tables=tuple(table for table in found if table.rows),
        plots=plots,
        plots_text=_FRC_TEXT,
        timeline=timeline.draw(history.sessions, _computed(run), _styles(run)),
        provenance=tuple(_provenance(run, history)),
        command=compare_command(run.manifest, run.paths.root.resolve()),
    )


def _subjects(run: FinishedRun) -> list[pictures.Subject]:
    """Every arm, then the truth, cut to where patches lie; NaN where an arm does not.

    A finished reconstruction may fill a grid of which the scan saw a part: it says where to cut
    only if there is nothing else.
    """
    fields: dict[str, NDArray[Any]] = {}
    covered: dict[str, NDArray[np.bool_]] = {}
    for name in run.results.arms:
        field, coverage = run.array(f"{name}/object"), run.array(f"{name}/coverage")
        if field is not None and coverage is not None:
            covered[name] = coverage > 0
            fields[name] = np.where(covered[name], field, np.nan)
    computed = [covered[arm.name] for arm in run.manifest.arms if arm.n_items]
    deciding = computed or list(covered.values())
    truth = run.array("ground_truth/object")
    labels = run.labels
    if truth is not None:
        fields["ground-truth"], labels = truth, {**labels, "ground-truth": "Ground truth"}
    return [
        pictures.Subject(name, labels[name], field[_extent(deciding, field.shape)])
        for name, field in fields.items()
    ]


def _extent(covered: Sequence[NDArray[np.bool_]], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The smallest rectangle that holds all that is covered, on grids of this shape."""
    known = [mask for mask in covered if mask.shape == shape and mask.any()]
    if not known:
        return (slice(None), slice(None))
    found = np.nonzero(np.logical_or.reduce(known))
    return tuple(slice(int(places.min()), int(places.max()) + 1) for places in found)


def _comparisons(run: FinishedRun) -> list[pictures.Comparison]:
    found = []
    for name, label in run.labels.items():
        field, truth = run.array(f"{name}/aligned"), run.array(f"{name}/aligned_truth")
        covered = run.array(f"{name}/aligned_covered")
        if field is not None and truth is not None:
            known = field if covered is None else np.where(covered, field, np.nan)
            found.append(pictures.Comparison(name, label, known, truth))
    return found


def _frc_plots(run: FinishedRun) -> tuple[curves.Plot, ...]:
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


def _frc_curves(run: FinishedRun, quantity: str) -> list[curves.Curve]:
    found: list[curves.Curve] = []
    styles = _styles(run)
    side_px = 0
    for name, label in run.labels.items():
        table, aligned = run.frc_curves(name), run.array(f"{name}/aligned")
        if table is None or aligned is None:
            continue
        side_px = min(aligned.shape)
        y = table[f"{quantity}_frc"]
        found.append(curves.Curve(label, styles[name], np.arange(len(y)) / (side_px / 2), y))
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
    if results.common is not None and len(results.arms) > 1:
        yield page.Statement("", f"Arms are compared on {results.common}.")
    elif not results.are_comparable:
        least, most = results.covered_shares[0], results.covered_shares[-1]
        text = (
            f"The arms cover between {least:.0%} and {most:.0%} of the region. Each is measured "
            "where it is covered, so these are not the same pixels: no figure is marked as best."
        )
        yield page.Statement("", text)
    for note in results.notes:
        yield page.Statement("", note)
    for arm in results.arms.values():
        if arm.notes:
            yield page.Statement(arm.label, "; ".join(arm.notes))
    for pair in results.pairs:
        if pair.notes:
            yield page.Statement(" – ".join(results.labels_of(pair)), "; ".join(pair.notes))


def _styles(run: FinishedRun) -> dict[str, str]:
    return {name: f"c{n % _STYLES}" for n, name in enumerate(run.results.arms)}


def _computed(run: FinishedRun) -> dict[str, str]:
    return {arm.name: run.labels[arm.name] for arm in run.manifest.arms if arm.n_chunks}


def _summary(run: FinishedRun, history: History) -> Iterator[page.Fact]:
    sessions = history.sessions
    yield page.Fact("Scan", run.sources.scan.name)
    for arm in run.manifest.arms:
        groups = f"{arm.n_items} groups" if arm.n_items else "finished reconstruction"
        yield page.Fact(run.labels[arm.name], groups)
    if sessions:
        lasted_s: dict[int, float] = {}
        for session in sessions:  # workers of one window work at the same time
            lasted_s[session.window] = max(session.lasted_s, lasted_s.get(session.window, 0.0))
        yield page.Fact("Windows", str(len(lasted_s)))
        yield page.Fact("Time in all windows", format_duration(sum(lasted_s.values())))
    _, _, height, width = run.results.evaluated_region_px
    yield page.Fact("Evaluated region", f"{height} × {width} px")


def _provenance(run: FinishedRun, history: History) -> Iterator[page.Facts]:
    manifest = run.manifest
    yield page.Facts(
        "Run",
        (
            page.Fact("manifest digest", manifest.digest, is_code=True),
            page.Fact("computed by ptyrun", ", ".join(history.versions) or "–"),
            page.Fact("on", ", ".join(history.hosts) or "–"),
        ),
    )
    for arm in manifest.arms:
        source = str(run.sources.arms[arm.name])
        facts = {"fingerprint": arm.fingerprint, "source": source, **arm.facts}
        yield page.Facts(run.labels[arm.name], _facts(facts))
    shared = {"scan": str(run.sources.scan), **manifest.shared}
    yield page.Facts("Selection and evaluation", _facts(shared))
    installed = {name: _version(name) for name in LIBRARIES}
    yield page.Facts("Libraries that drew this report", _facts(installed))


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

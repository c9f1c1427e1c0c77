"""How is a finished comparison shown to a person? Draws what ``finalize`` left; nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ptyrun.comparison import artifacts, currency, page_notes, page_pictures, publishing
from ptyrun.comparison.command_line import compare_command
from ptyrun.comparison.conclusion import conclusion
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.finished import FinishedRun
from ptyrun.comparison.history import History, read_history
from ptyrun.comparison.line_figures import line_section
from ptyrun.comparison.pictures import reference_label
from ptyrun.comparison.planned_inputs import warn_of_changed_inputs
from ptyrun.comparison.run import Run
from ptyrun.comparison.study_place import study_place
from ptyrun.durations import format_duration
from ptyrun.engine import refusal
from ptyrun.engine.costs import Costs
from ptyrun.engine.window import Window
from ptyrun.errors import StorageError
from ptyrun.host import checksums, durable
from ptyrun.progress import SILENT, Watcher
from ptyrun.report import line_table, long_table, page, tables, timeline
from ptyrun.texts import counted

LIBRARIES = ("ptyrun", "numpy", "scipy", "scikit-image", "zarr", "matplotlib")
_FRC_TEXT = (
    "Correlation on rings of spatial frequency, tapered and with its sign. Where a curve falls "
    "below a threshold, detail finer than that is noise by that criterion; against a noise-free "
    "truth thresholds are those of one noisy image."
)


@dataclass(frozen=True)
class ReportFiles:
    """What was written."""

    html: Path
    markdown: Path
    metrics_csv: Path

    @property
    def line_csv(self) -> Path:
        """The profiles along a line; there only where one was asked for."""
        return self.html.with_name("line_profiles.csv")


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
    digests = Fingerprints(paths.digests)
    with (
        publishing.elsewhere(paths.report),
        _unless(lambda: not force and currency.is_current(paths.report, made_from, digests)),
        publishing.alone(paths, watcher, window),
        refusal.noted(paths, run.run.ledger),
    ):
        publication = publishing.report(paths)
        publication.sweep()
        if not force and currency.is_current(paths.report, made_from, digests):
            return files
        costs = Costs(paths.costs, run.manifest.digest)
        with costs.measured("report", window, has_gone_on=has_gone_on):
            fresh = publication.begin()
            _write(run, _files(fresh), made_from)
            publication.publish(fresh)
    return files


@contextmanager
def _unless(is_there: Callable[[], bool]) -> Iterator[None]:
    """Let a disk that cannot be written be no error where what would be written is there."""
    try:
        yield
    except StorageError:
        if not is_there():
            raise


def _write(run: FinishedRun, files: ReportFiles, made_from: str) -> None:
    shown = _page(run)
    durable.write_text(files.html, page.html(shown))
    durable.write_text(files.markdown, page.markdown(shown))
    durable.write_text(files.metrics_csv, long_table.metrics_csv(run.results))
    left = [files.html, files.markdown, files.metrics_csv]
    if (profiles := line_table.profiles_csv(run.results)) is not None:
        durable.write_text(files.line_csv, profiles)
        left.append(files.line_csv)
    checksums.write(files.html.parent, left, made_from)


def _files(folder: Path) -> ReportFiles:
    return ReportFiles(folder / "index.html", folder / "report.md", folder / "metrics.csv")


def _page(run: FinishedRun) -> page.Page:
    results = run.results
    history = read_history(run.paths, run.manifest)
    plots, shown = page_pictures.ring_plots(run), page_pictures.compared(run)
    styles = page_pictures.styles(results.arms)
    said = conclusion(results, reference_label(results))
    return page.Page(
        title=_title(run),
        conclusion=tuple(page.Fact(line.name, line.text) for line in said),
        warnings=tuple(page_notes.warnings(results)),
        notes=tuple(page_notes.notes(results)),
        details=tuple(page_notes.details(results)),
        rows=shown.rows,
        picture_notes=shown.notes,
        plots=plots,
        plots_text=_FRC_TEXT,
        tables=_known(tables.standard_table(results), tables.pair_table(results)),
        folded=_known(
            tables.halves_table(results),
            tables.own_table(results),
            tables.upstream_table(results),
            tables.diagnostics_table(results),
        ),
        whole=page_pictures.whole(run),
        facts=tuple(_facts_of_scan(run)),
        line=line_section(results, reference_label(results), run.pixel_size_m),
        summary=tuple(_summary(run, history)),
        timeline=timeline.draw(history.sessions, _computed(run), styles),
        provenance=tuple(_provenance(run, history)),
        command=compare_command(run.manifest, run.paths.root.resolve()),
    )


def _title(run: FinishedRun) -> str:
    """What is compared, of which scan, and which of a study's comparisons that is."""
    of = (run.sources.scan.stem, *study_place(run.paths.root.resolve()))
    return f"{', '.join(of)}: {', '.join(run.labels.values())}"


def _known(*found: tables.Table) -> tuple[tables.Table, ...]:
    return tuple(table for table in found if table.rows)


def _computed(run: FinishedRun) -> dict[str, str]:
    return {arm.name: run.labels[arm.name] for arm in run.manifest.arms if arm.n_chunks}


def _facts_of_scan(run: FinishedRun) -> Iterator[page.Fact]:
    yield page.Fact("Scan", run.sources.scan.name)
    n_frames = {arm.frames.n_scan for arm in run.results.arms.values() if arm.frames}
    if len(n_frames) == 1:
        yield page.Fact("Frames", str(*n_frames))
    if run.results.counts_per_frame is not None:
        yield page.Fact("Mean counts of a frame", f"{run.results.counts_per_frame:.4g}")
    if run.pixel_size_m is not None:
        yield page.Fact("Object pixel", f"{1e9 * run.pixel_size_m:.4g} nm")
    if run.results.energy_ev is not None:
        yield page.Fact("Photon energy", f"{run.results.energy_ev / 1e3:.5g} keV")


def _summary(run: FinishedRun, history: History) -> Iterator[page.Fact]:
    sessions = history.sessions
    for arm in run.manifest.arms:
        groups = counted(arm.n_items, "group") if arm.n_items else "finished reconstruction"
        yield page.Fact(run.labels[arm.name], groups)
    if sessions:
        lasted_s: dict[int, float] = {}
        for session in sessions:  # workers of one window work at the same time
            lasted_s[session.window] = max(session.lasted_s, lasted_s.get(session.window, 0.0))
        yield page.Fact("Windows", str(len(lasted_s)))
        yield page.Fact("Time in all windows", format_duration(sum(lasted_s.values())))


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

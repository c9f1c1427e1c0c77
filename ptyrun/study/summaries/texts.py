"""How do the sums of a study read as texts and Markdown? Upstream's files, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ptyrun.study import analysis
from ptyrun.study.summaries.comparisons import (
    OWN,
    Comparison,
    Deltas,
    comparisons,
    difference,
    is_above,
    signed,
    signed_for_grid,
)
from ptyrun.study.summaries.rows import NUMBERS
from ptyrun.study.summaries.summary import WITH_BEST, Aggregate, Job, Summary

MS_SSIM_THRESHOLD = 0.80
NAMES = {"ms_ssim": "MS-SSIM", "mae": "MAE"}
DIGITS = {"ms_ssim": 3, "mae": 6}
COUNTS = "**Total Jobs:** {0.n_jobs}  \n**Successful:** {0.n_success}  \n**Failed:** {0.n_failed}  "
LABEL_WIDTH, NAME_WIDTH, KEY_WIDTH = 29, 35, 11


def summary_json(summary: Summary) -> str:
    """``metrics_summary.json``."""
    return json.dumps(summary.to_json(), indent=2)


def delta_json(deltas: Deltas, generated_at: str) -> str:
    """``metrics_delta_summary.json``."""
    return json.dumps(deltas.to_json(generated_at), indent=2)


def summary_markdown(summary: Summary) -> str:
    """``metrics_summary.md``."""
    parts = ["# Phase G Metrics Summary", "", COUNTS.format(summary), "", "---", ""]
    parts += ["## Aggregate Metrics", "", "Summary statistics across all jobs per model.", ""]
    for model, metrics in summary.aggregates.items():
        parts += [f"### {model}", "", *_statistics(metrics, _plain)]
    for job in summary.jobs:
        parts += ["---", "", *_job(job)]
    parts += ["---", "", *_compliance(summary), ""]
    return "\n".join(parts) + "\n"


def report_markdown(summary: Summary, threshold: float = MS_SSIM_THRESHOLD) -> str:
    """``aggregate_report.md``."""
    parts = ["# Phase G Dense Metrics Report", "", COUNTS.format(summary), ""]
    parts += ["## MS-SSIM Sanity Check", ""]
    parts += [f"_Threshold: mean amplitude/phase ≥ {threshold:.2f}_", ""]
    rows = list(_sanity(summary, threshold))
    parts += _table("Model", "Mean Amplitude", "Mean Phase", "Status", rows=rows)
    parts += ["", "## Aggregate Metrics", ""]
    for model in summary.models:
        metrics = {metric: summary.aggregate(model, metric) for metric in NAMES}
        parts += [f"### {model}", "", *_statistics(metrics, _or_missing)]
    parts += ["## Deltas (PtychoPINN vs Baselines)", ""]
    parts += [
        "Positive values indicate PtychoPINN performs better (higher MS-SSIM or lower MAE).",
        "",
    ]
    chosen = comparisons(summary.models)
    for metric, statistics in (("ms_ssim", ("mean", "best")), ("mae", ("mean",))):
        parts += [f"### {NAMES[metric]} Deltas", ""]
        if metric == "mae":
            note = "For MAE, negative values indicate PtychoPINN performs better (lower error)."
            parts += [f"**Note:** {note}", ""]
        columns = [(s, name) for name in ("amplitude", "phase") for s in statistics]
        heads = [f"{statistic.title()} {name.title()}" for statistic, name in columns]
        rows = [
            [f"vs {each.label}", *_delta_cells(summary, each, metric, columns)] for each in chosen
        ]
        parts += [*_table("Comparison", *heads, rows=rows), ""]
    return "\n".join(parts[:-1]) + "\n"


def highlights(summary: Summary, threshold: float = MS_SSIM_THRESHOLD) -> str:
    """``aggregate_highlights.txt``, without an end of its last line."""
    lines = ["Phase G Dense Metrics — Highlights", "=" * 50, ""]
    lines.append(f"MS-SSIM (mean) threshold: {threshold:.2f}")
    chosen = comparisons(summary.models)
    own = [Comparison(OWN, OWN if OWN in summary.models else None)]
    for each in (*own, *chosen):
        found = summary.aggregate(each.model, "ms_ssim")
        means = f"{_or_missing(found.mean_amplitude)} / {_or_missing(found.mean_phase)}"
        label = f"  {each.label} amplitude/phase: "
        lines.append(f"{label:<{LABEL_WIDTH}}{means}")
    deltas = Deltas.of(summary)
    for metric in ("ms_ssim", "mae"):
        for each in chosen:
            delta = deltas.delta(each.label, metric)
            lines += ["", f"{NAMES[metric]} Deltas ({OWN} - {each.label}):"]
            if metric == "mae":
                lines.append("  [Note: Negative = PtychoPINN better (lower error)]")
            lines.append(f"  Amplitude (mean): {signed(delta.amplitude, 3)}")
            lines.append(f"  Phase (mean):     {signed(delta.phase, 3)}")
    return "\n".join(lines)


def digest_markdown(
    summary: Summary, threshold: float = MS_SSIM_THRESHOLD, *, exact: bool = False
) -> str:
    """``metrics_digest.md``, without an end of its last line; for *exact* see `comparisons`."""
    parts = ["# Phase G Dense Metrics Digest", "", "**✓ ALL COMPARISONS SUCCESSFUL ✓**", ""]
    parts += [f"All {summary.n_jobs} comparison job(s) completed successfully.", ""]
    parts += ["## Pipeline Summary", "", f"- Total comparison jobs: {summary.n_jobs}"]
    parts += [f"- Successful: {summary.n_success}", f"- Failed: {summary.n_failed}", ""]
    parts += ["## Highlights", "", "```", highlights(summary, threshold), "```", ""]
    parts += ["## Key Deltas", "", *_key_deltas(Deltas.of(summary, exact=exact), exact)]
    parts += ["## References", "", "- Full metrics report: `aggregate_report.md`"]
    parts += ["- Raw metrics data: `metrics_summary.json`"]
    return "\n".join([*parts, "- Detailed highlights: `aggregate_highlights.txt`"])


def delta_highlights(deltas: Deltas) -> str:
    """``metrics_delta_highlights.txt``."""
    lines = []
    for metric, digits in DIGITS.items():
        for each in deltas.compared:
            delta = deltas.delta(each.label, metric)
            name = f"{_delta_name(metric, each):<{NAME_WIDTH}}: "
            amplitude, phase = signed(delta.amplitude, digits), signed(delta.phase, digits)
            lines.append(f"{name}amplitude {amplitude}  phase {phase}\n")
    return "".join(lines)


def delta_preview(deltas: Deltas) -> str:
    """``metrics_delta_highlights_preview.txt``: phases alone."""
    return "".join(
        f"{_delta_name(metric, each)}: {signed(deltas.delta(each.label, metric).phase, digits)}\n"
        for metric, digits in DIGITS.items()
        for each in deltas.compared
    )


def grid_markdown(deltas: Deltas) -> str:
    """``ssim_grid_summary.md``: phases alone."""
    parts = ["# SSIM Grid Summary (Phase-Only)", "", f"**Generated from:** `{analysis.DELTAS}`"]
    parts += [f"**Preview validated:** `{analysis.PREVIEW}` (phase-only)", ""]
    for metric, digits in DIGITS.items():
        parts += [f"## {NAMES[metric]} Deltas (Phase)", ""]
        rows = [
            [
                f"{each.key:<{KEY_WIDTH}}",
                signed_for_grid(deltas.delta(each.label, metric).phase, digits),
            ]
            for each in deltas.compared
        ]
        head = f"Phase {NAMES[metric]} Delta"
        parts += ["| Comparison | " + head + " |", f"|------------|{'-' * (len(head) + 2)}|"]
        parts += [_line(row) for row in rows]
        parts.append("")
    parts += ["---", ""]
    parts += ["_Note: This summary enforces PREVIEW-PHASE-001 (phase-only formatting)._"]
    end = "MS-SSIM formatted to ±0.000 (3 decimals), MAE to ±0.000000 (6 decimals) per STUDY-001."
    return "\n".join([*parts, f"_{end}_"]) + "\n"


def status(found: Aggregate, threshold: float) -> str:
    """OK, LOW with what is below the threshold, or MISSING."""
    means = {"amp": found.mean_amplitude, "phase": found.mean_phase}
    if None in means.values():
        return "MISSING"
    low = [name for name, mean in means.items() if not is_above(mean, threshold)]
    return f"LOW ({','.join(low)})" if low else "OK"


def _sanity(summary: Summary, threshold: float) -> Iterator[list[str]]:
    for model in summary.models:
        found = summary.aggregate(model, "ms_ssim")
        means = (_or_missing(found.mean_amplitude), _or_missing(found.mean_phase))
        yield [model, *means, status(found, threshold)]


def _statistics(
    metrics: Mapping[str, Aggregate], shown: Callable[[float | None], str]
) -> Iterator[str]:
    for metric, name in NAMES.items():
        if metric not in metrics:
            continue
        found = metrics[metric]
        rows = [["Mean", shown(found.mean_amplitude), shown(found.mean_phase)]]
        if metric in WITH_BEST:
            rows.append(["Best", shown(found.best_amplitude), shown(found.best_phase)])
        yield from (f"**{name}:**", "")
        yield from _table("Statistic", "Amplitude", "Phase", rows=rows)
        yield ""


def _delta_cells(
    summary: Summary, each: Comparison, metric: str, columns: Sequence[tuple[str, str]]
) -> Iterator[str]:
    ours, theirs = summary.aggregate(OWN, metric), summary.aggregate(each.model, metric)
    for statistic, name in columns:
        key = f"{statistic}_{name}"
        yield signed(difference(getattr(ours, key), getattr(theirs, key)), 3)


def _key_deltas(deltas: Deltas, exact: bool) -> Iterator[str]:
    if exact and any(each.model is None for each in deltas.compared):
        models = "PtychoPINN, Baseline, or PtyChi"
        yield from (f"**Note:** Cannot compute deltas - missing required models ({models})", "")
        return
    for metric, name in NAMES.items():
        yield from (f"### {name} (Mean Values)", "")
        if metric == "mae":
            yield from ("**Note:** Negative delta = PtychoPINN better (lower error)", "")
        found = [(each.label, deltas.delta(each.label, metric)) for each in deltas.compared]
        rows = [
            [f"{OWN} - {label}", signed(delta.amplitude, 3), signed(delta.phase, 3)]
            for label, delta in found
        ]
        yield from _table("Comparison", "Amplitude", "Phase", rows=rows)
        yield ""


def _job(job: Job) -> Iterator[str]:
    yield f"## Job: {job.key.view}/{job.key.split} (dose={job.key.dose})"
    yield ""
    for model in job.models:
        yield f"### {model}"
        yield ""
        rows = [
            [row.metric, *(_plain(row.component(name), 4) for name in NUMBERS)]
            for row in job.rows
            if row.model == model
        ]
        yield from _table("Metric", "Amplitude", "Phase", "Value", rows=rows)
        yield ""


def _compliance(summary: Summary) -> Iterator[str]:
    yield from ("## Phase C Metadata Compliance", "")
    yield from (
        "Validation of Phase C NPZ files for _metadata and canonical transformations.",
        "",
    )
    if summary.compliance.error:
        yield f"**Error:** {summary.compliance.error}"
        return
    rows = []
    for dose, split, state in summary.compliance.states():
        facts = (state.compliant, state.has_metadata, state.has_canonical_transform)
        where = f"{state.npz_path} ({state.error})" if state.error else state.npz_path
        rows.append([dose, split, *("✓" if fact else "✗" for fact in facts), where])
    heads = ("Dose", "Split", "Compliant", "Has Metadata", "Has Canonical Transform", "Path")
    yield from _table(*heads, rows=rows)


def _delta_name(metric: str, each: Comparison) -> str:
    return f"{NAMES[metric]} Δ ({OWN} - {each.label})"


def _plain(number: float | None, digits: int = 3) -> str:
    return "" if number is None else f"{number:.{digits}f}"


def _or_missing(number: float | None, digits: int = 3) -> str:
    return "N/A" if number is None else f"{number:.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(*heads: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _line(heads)
    yield "|" + "|".join("-" * (len(head) + 2) for head in heads) + "|"
    for row in rows:
        yield _line(row)

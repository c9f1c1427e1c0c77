"""``ptyrun status``: how far is a run?"""

from __future__ import annotations

import json
import math
import shlex
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ptyrun.cli import options, streams
from ptyrun.cli.saying import say
from ptyrun.durations import format_duration
from ptyrun.texts import counted, counted_of, one_line

if TYPE_CHECKING:
    from ptyrun.stages.status import ArmStatus, Status

_BARS = range(8, 29)  # how wide a bar may be, in characters
_PERCENT = len(" 100 %")


@click.command("status")
@options.run_place
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document, schema 1; with --watch one a line."
)
@click.option(
    "--watch",
    is_flag=True,
    help="Follow until the run is complete, finalized and reported, or Ctrl-C.",
)
@click.option(
    "--every",
    "every_s",
    type=options.Duration(),
    default="2s",
    help="How often --watch looks (default: 2s).",
)
def command(run_dir: Path | str, as_json: bool, watch: bool, every_s: float) -> None:
    """Show how far RUN is: a folder, or an s3:// place where it, or a study, was published."""
    if isinstance(run_dir, str):
        say(_published(run_dir, as_json=as_json))
        return
    from ptyrun.stages.status import status

    while True:
        found = status(run_dir)
        text = found.to_json() if as_json else as_text(found, run_dir, _columns())
        if watch and as_json:
            text = "".join(line.strip() for line in text.splitlines())
        if watch and not as_json:
            click.clear()
        say(text)
        if not watch or found.reported or not streams.is_heard():
            return
        time.sleep(every_s)


def _published(place: str, *, as_json: bool) -> str:
    from ptyrun.study.published import PublishedStudy, published_at

    found = published_at(place)
    if isinstance(found, PublishedStudy):
        return json.dumps(found.status, indent=1) if as_json else found.as_text()
    status = found.status()
    return status.to_json() if as_json else as_text(status, place, _columns())


def _columns() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def as_text(found: Status, run_dir: Path | str, columns: int) -> str:
    """Write a status as a table with bars that leave room for the figures."""
    lines = [f"{run_dir}: {_headline(found, run_dir)}"]
    width = max(map(len, found.arms), default=0)
    figures = {name: _figures(arm) for name, arm in found.arms.items()}
    beside = len("    ") + width + _PERCENT + 1 + max(map(len, figures.values()), default=0)
    cells = min(max(columns - beside, _BARS[0]), _BARS[-1])
    for name, arm in found.arms.items():
        if not arm.groups_total:
            lines.append(f"  {name:<{width}}  finished reconstruction")
            continue
        bar = _bar(arm.groups_committed / arm.groups_total, cells)
        lines.append(f"  {name:<{width}}  {bar} {figures[name]}")
        lines += [f"    {note}" for note in arm.notes]
    lines += _unknown(found)
    lies_idle = found.is_partial and not found.is_running
    if found.windows_without_progress and lies_idle:
        n_windows = found.windows_without_progress
        windows = "window" if n_windows == 1 else counted(n_windows, "window")
        lines.append(
            f"  the last {windows} made no progress: {one_line(found.why_without_progress)}"
        )
    if found.why_failed:
        lines.append(f"  the latest window failed: {one_line(found.why_failed)}")
    if found.why_refused and not found.is_running:
        lines.append(f"  the latest window was too short: {one_line(found.why_refused)}")
    is_advised = found.why_refused or found.is_partial
    if found.window_needed_s is not None and is_advised and not found.is_running:
        lines.append(f"  next: --window {math.ceil(found.window_needed_s)}s or more")
    for trouble in found.troubles:
        verdict = "quarantined" if trouble.set_aside else "will be tried again"
        what = "failed" if trouble.error else "was cut off by a kill or a crash"
        lines.append(
            f"  chunk {trouble.chunk} of {trouble.arm} {what} "
            f"{counted(trouble.attempts, 'time')}, {verdict}"
            + (f": {one_line(trouble.error)}" if trouble.error else "")
        )
        lines += [f"    {line}" for line in trouble.traceback.rstrip().splitlines()]
    if any(trouble.set_aside for trouble in found.troubles):
        again = f"ptyrun verify {shlex.quote(str(run_dir))} --repair"
        lines.append(
            f"  once the cause is removed, `{again}` lets quarantined chunks be tried again"
        )
    lines += [f"  blocked: {run_dir}/blocked/{one_line(name)}" for name in found.blockers]
    return "\n".join(lines)


def _headline(found: Status, run_dir: Path | str) -> str:
    has_chunks = any(arm.groups_total for arm in found.arms.values())
    so_far = f"{counted(found.windows, 'window')} so far"
    text = f"{found.state.value}, {so_far}" if has_chunks else found.state.value
    if not found.is_partial:
        if found.finalized:
            return text if found.reported else f"{text}; finalized, not reported"
        again = f"no results yet: run `ptyrun finalize {shlex.quote(str(run_dir))}`"
        if has_chunks:
            return f"every chunk is computed, {so_far}; {again}"
        return f"every arm is a finished reconstruction; {again}"
    if found.eta_s is not None:
        text += f", about {format_duration(found.eta_s)} of work left"
    if found.windows_left is not None:
        text += f" ({counted(found.windows_left, 'window')})"
    return text


def work_left(found: Status) -> list[str]:
    """Say how much time and how many windows the missing chunks will take, or why not."""
    if not found.is_partial:
        return []
    windows = ""
    if found.windows_left is not None:
        windows = f", {counted(found.windows_left, 'window')} like the latest"
    known = found.eta_s is not None
    left = [f"left to compute: about {format_duration(found.eta_s or 0)}{windows}"] if known else []
    return [*left, *(line.strip() for line in _unknown(found))]


def _unknown(found: Status) -> list[str]:
    """Say what is not known of the work that is left, and why."""
    if found.why_unknown is None:
        return []
    what = "time left" if found.eta_s is None else "windows left"
    return [f"  {what}: not known, since {found.why_unknown}"]


def _figures(arm: ArmStatus) -> str:
    rate = f", {_rate(arm.groups_per_s)} groups/s" if arm.groups_per_s else ""
    failed = f", {arm.failed} quarantined" if arm.failed else ""
    groups = counted_of(arm.groups_committed, arm.groups_total, "group")
    chunks = counted_of(arm.chunks_committed, arm.chunks_total, "chunk")
    return f"{groups}, {chunks}{rate}{failed}"


def _rate(groups_per_s: float) -> str:
    return f"{groups_per_s:.0f}" if groups_per_s >= 100 else f"{groups_per_s:.3g}"


def _bar(fraction: float, cells: int) -> str:
    full = int(fraction * cells)
    return "█" * full + "░" * (cells - full) + f" {100 * fraction:3.0f} %"

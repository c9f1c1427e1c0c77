"""``ptyrun status``: how far is a run?"""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ptyrun.cli import options
from ptyrun.durations import format_duration

if TYPE_CHECKING:
    from ptyrun.stages.status import Status

_BAR = 28


@click.command("status")
@options.run_folder
@click.option("--json", "as_json", is_flag=True, help="One JSON document, schema 1.")
@click.option("--watch", is_flag=True, help="Follow until the run is complete or Ctrl-C.")
@click.option("--every", "every_s", type=options.Duration(), default="2s", show_default=True)
def command(run_dir: Path, as_json: bool, watch: bool, every_s: float) -> None:
    """Say how far RUN is."""
    from ptyrun.stages.status import RunState, status

    while True:
        found = status(run_dir)
        text = found.to_json() if as_json else as_text(found, run_dir)
        if watch and not as_json:
            click.clear()
        click.echo(text)
        if not watch or found.state is RunState.COMPLETE:
            return
        time.sleep(every_s)


def as_text(found: Status, run_dir: Path) -> str:
    """Write a status as a table with bars."""
    lines = [f"{run_dir}: {_headline(found)}"]
    width = max(map(len, found.arms), default=0)
    for name, arm in found.arms.items():
        if not arm.groups_total:
            lines.append(f"  {name:<{width}}  finished reconstruction")
            continue
        rate = f", {arm.groups_per_s:.1f} groups/s" if arm.groups_per_s else ""
        failed = f", {arm.failed} set aside" if arm.failed else ""
        lines.append(
            f"  {name:<{width}}  {_bar(arm.groups_committed / arm.groups_total)} "
            f"{arm.groups_committed}/{arm.groups_total} groups, "
            f"{arm.chunks_committed}/{arm.chunks_total} chunks{rate}{failed}"
        )
        lines += [f"    {note}" for note in arm.notes]
    for trouble in found.troubles:
        verdict = "set aside" if trouble.set_aside else "will be tried again"
        what = "failed" if trouble.error else "killed its process, or died with it,"
        lines.append(
            f"  chunk {trouble.chunk} of {trouble.arm} {what} {trouble.attempts} times, {verdict}"
            + (f": {trouble.error}" if trouble.error else "")
        )
        lines += [f"    {line}" for line in trouble.traceback.rstrip().splitlines()]
    if any(trouble.set_aside for trouble in found.troubles):
        again = f"ptyrun verify {shlex.quote(str(run_dir))} --repair"
        lines.append(
            f"  once the cause is removed: `{again}` lets what was set aside be tried again"
        )
    lines += [f"  blocked: {run_dir / 'blocked' / name}" for name in found.blockers]
    return "\n".join(lines)


def _headline(found: Status) -> str:
    text = f"{found.state.value}, {_counted(found.windows, 'window')} so far"
    if found.chunks_committed == found.chunks_total:
        return text if found.finalized else f"{text}; not finalized"
    if found.eta_s is not None:
        text += f", about {format_duration(found.eta_s)} of work left"
    if found.windows_left is not None:
        text += f" ({_counted(found.windows_left, 'window')})"
    return text


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _bar(fraction: float) -> str:
    full = int(fraction * _BAR)
    return "█" * full + "░" * (_BAR - full) + f" {100 * fraction:3.0f} %"

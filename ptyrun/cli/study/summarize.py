"""``ptyrun study summarize``: what do the comparisons of a hub add up to?"""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli.saying import say
from ptyrun.cli.study import words
from ptyrun.texts import counted


@click.command("summarize")
@words.hub
@words.threshold
def command(hub: Path, ms_ssim_threshold: float | None) -> None:
    """Write all summaries of the comparisons in a hub, tables and the inventory.

    Reads comparison_manifest.json and the comparison_metrics.csv of every comparison; works on hubs
    by ptyrun and by upstream. Files that are up to date are left as they are.
    """
    from ptyrun.study.summaries.summarize import summarize

    outcome = summarize(hub, ms_ssim_threshold)
    for note in outcome.notes:
        say(f"note: {note}", err=True)
    for name in outcome.written:
        say(f"wrote {name}")
    n_written, n_same = len(outcome.written), len(outcome.unchanged)
    say(f"{counted(n_written, 'file')} written, {n_same} up to date already")

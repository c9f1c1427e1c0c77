"""``ptyrun study sweep``: how do metrics run with dose or training size?"""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli.saying import say
from ptyrun.cli.study import words
from ptyrun.texts import counted


@click.command("sweep")
@words.hub
@click.option(
    "--ms-ssim-phase-threshold",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SSIM",
    help="Leave trials with a phase MS-SSIM below this out of results.csv (default: 0, none).",
)
def command(hub: Path, ms_ssim_phase_threshold: float) -> None:
    """Write a page, CSV and LaTeX of metrics against dose and against training size.

    Reads the comparison_metrics.csv of every comparison below analysis/dose_D/VIEW/SPLIT, and of
    every trial below train_N, train_groups_N or train_subsample_M_groups_N. Files that are right
    already stay as they are.
    """
    from ptyrun.study.sweeps.sweep import sweep

    outcome = sweep(hub, ms_ssim_phase_threshold)
    for note in outcome.notes:
        say(f"note: {note}", err=True)
    for name in outcome.written:
        say(f"wrote {name}")
    n_written, n_same = len(outcome.written), len(outcome.unchanged)
    say(f"{counted(n_written, 'file')} written, {n_same} up to date already")

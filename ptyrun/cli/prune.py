"""``ptyrun prune``: keep a finished run's results, and give back the space of its patches."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ptyrun.cli import options
from ptyrun.cli.saying import say
from ptyrun.texts import counted


@click.command("prune")
@options.run_folder
@click.option(
    "--undo",
    is_flag=True,
    help="Mark the deleted patches as missing, so that the next `ptyrun run` computes them again.",
)
def command(run_dir: Path, undo: bool) -> None:
    """Delete the patches of RUN, which must be complete, finalized and undamaged; keep its results.

    Objects, metrics, tables and pictures stay, and `verify` still checks them. No longer possible
    afterwards: a preview, results with other options, chunks for --reuse.
    """
    from ptyrun.cli import console
    from ptyrun.stages import prune

    screen = console.Console()
    if undo:
        n_chunks = prune.undo(run_dir, screen)
        go_on = shlex.join(["ptyrun", "run", str(run_dir)])
        say(f"{counted(n_chunks, 'chunk')} to be computed again: go on with `{go_on}`")
        return
    pruned = prune.prune(run_dir, screen)
    say(f"{counted(pruned.n_chunks, 'chunk')} deleted, {pruned.size_bytes / 1e6:.1f} MB freed")

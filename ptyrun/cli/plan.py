"""``ptyrun plan``: write down what a comparison will compute."""

from __future__ import annotations

from typing import Any

import click

from ptyrun.cli import compare_config
from ptyrun.cli.panels import PanelCommand
from ptyrun.cli.saying import say
from ptyrun.texts import counted


@click.command("plan", cls=PanelCommand, epilog=compare_config.EPILOG)
@compare_config.options
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show what would be computed; write nothing, and need no --output-dir.",
)
def command(dry_run: bool, **given: Any) -> None:
    """Check every input and write what will be computed; compute nothing."""
    from ptyrun.cli import console
    from ptyrun.cli.status import work_left
    from ptyrun.door import comparing

    screen = console.Console.from_words(given)
    replanning = compare_config.replanning(given)
    config = compare_config.configuration(given, new=replanning.new, dry_run=dry_run)
    manifest, found = comparing.planned(config, replanning, screen, dry_run=dry_run)
    for arm in manifest.arms:
        say(
            f"{arm.label}: {counted(arm.n_items, 'group')} in "
            f"{counted(arm.n_chunks, 'chunk')} of {arm.chunk_items}"
            if arm.n_items
            else f"{arm.label}: finished reconstruction"
        )
    say(f"manifest {manifest.digest}")
    for line in work_left(found):
        say(line)

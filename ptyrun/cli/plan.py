"""``ptyrun plan``: write down what a comparison will compute."""

from __future__ import annotations

from typing import Any

import click

from ptyrun.cli import compare_config
from ptyrun.cli.panels import PanelCommand


@click.command("plan", cls=PanelCommand, epilog=compare_config.EPILOG)
@compare_config.options
@click.option("--dry-run", is_flag=True, help="Say what would be computed; write nothing.")
def command(dry_run: bool, **given: Any) -> None:
    """Check every input and write what will be computed; compute nothing."""
    from ptyrun.cli import console
    from ptyrun.stages import plan

    screen = console.Console.from_words(given)
    replanning = compare_config.replanning(given)
    new, invalidate, reuse = replanning.new, replanning.invalidate, replanning.reuse
    config = compare_config.configuration(given, new=new)
    if reuse:
        from ptyrun.stages.reuse import require_sources

        require_sources(config.output_dir, reuse)
    if dry_run:
        manifest = plan.check(config, screen)
    else:
        manifest = plan.plan(config, new=new, invalidate=invalidate, watcher=screen).manifest
    for arm in manifest.arms:
        click.echo(
            f"{arm.label}: {arm.n_items} groups in {arm.n_chunks} chunks of {arm.chunk_items}"
            if arm.n_items
            else f"{arm.label}: finished reconstruction"
        )
    click.echo(f"manifest {manifest.digest}")
    if reuse and not dry_run:
        from ptyrun.stages.reuse import reuse as take_over

        take_over(config.output_dir, reuse, watcher=screen)
    from ptyrun.cli.status import work_left
    from ptyrun.stages import status

    if dry_run:
        found = status.foreseen(config.output_dir, manifest, new=new)
    else:
        found = status.status(config.output_dir)
    for line in work_left(found):
        click.echo(line)

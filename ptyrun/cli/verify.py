"""``ptyrun verify``: is a run as it was written?"""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli import options
from ptyrun.cli.saying import say
from ptyrun.errors import DamageError, ExitCode
from ptyrun.texts import counted, one_line


@click.command("verify")
@options.run_folder
@click.option(
    "--level",
    type=click.Choice(["size", "sample", "full"]),
    default="full",
    help="How chunks are checked: all by size, a sample by every byte, or all by every byte "
    "(default: full).",
)
@click.option(
    "--repair", is_flag=True, help="Discard damaged parts so that the next run recreates them."
)
@click.pass_context
def command(ctx: click.Context, /, run_dir: Path, level: str, repair: bool) -> None:
    """Check every file of RUN; print one line per damaged, missing or unexpected file."""
    from ptyrun.cli import console
    from ptyrun.door.run import Run
    from ptyrun.door.watching import from_the_line

    try:
        with from_the_line(console.Console()):
            verdict = Run(run_dir).verify(level, repair=repair)
    except DamageError as error:
        say(f"error: {error}", err=True)
        ctx.exit(int(ExitCode.BLOCKED))
    for damage in verdict.damages:
        stays = repair and damage in verdict.beyond_repair
        say(f"{damage}{' (cannot be repaired)' if stays else ''}")
    for name in verdict.strangers:
        say(f"unexpected: {one_line(name)}: not ptyrun's; it is left as it is")
    if not verdict.damages:
        arms = counted(verdict.n_arms, "arm")
        said = f"{counted(verdict.n_chunks, 'chunk')} of {arms}, level {level}"
        if not verdict.n_arms:
            said = f"every arm is a finished reconstruction, without chunks; level {level}"
        left = f"; {verdict.n_missing} are not computed" if verdict.n_missing else ""
        but = " but for what a newer ptyrun wrote" if verdict.newer else ""
        say(f"OK{' so far' if left else ''}{but}: {said}{left}")
    for session in verdict.half_lines:
        half = f"ledger/{session}.jsonl ends in an incomplete line, as a kill leaves it"
        say(f"note: {half}; all committed chunks are named before it", err=True)
    if verdict.n_pruned and not verdict.damages:
        deleted = counted(verdict.n_pruned, "chunk")
        say(f"pruned: {deleted} deleted after the results were made")
    if repair and verdict.damages and not verdict.beyond_repair:
        again = verdict.made_again(run_dir)
        say(f"repaired: what is missing is made again by {again}" if again else "repaired")
    for remedy in verdict.remedies(run_dir, repair=repair):
        say(f"  do:  {remedy}", err=True)
    for newer in verdict.newer:
        say(f"error: {newer}", err=True)
    clear = ExitCode.USAGE if verdict.newer else ExitCode.COMPLETE
    ctx.exit(int(ExitCode.BLOCKED if verdict.beyond_repair else clear))

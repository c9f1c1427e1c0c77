"""``ptyrun study verify``: is a hub what it says?"""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli.saying import say
from ptyrun.cli.study import words
from ptyrun.errors import ExitCode


@click.command("verify", cls=words.StudyCommand)
@words.hub
@words.scope
@words.threshold
@click.option(
    "--json", "as_json", is_flag=True, help="Print upstream's JSON document, with names of checks."
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    hub: Path,
    dose: tuple[float, ...],
    view: tuple[str, ...],
    splits: tuple[str, ...],
    ms_ssim_threshold: float | None,
    as_json: bool,
) -> None:
    """Check a hub by its content, with ten checks; exit 3 if one of them fails. Changes nothing.

    Every summary is made again from the metrics of the comparisons and compared; data, models and
    reconstructions are read through where their format holds checksums.
    """
    from ptyrun.study.checks.verify import verify

    verdict = verify(
        hub, doses=dose, views=view, splits=splits, ms_ssim_threshold=ms_ssim_threshold
    )
    if as_json:
        say(verdict.to_json())
    else:
        if verdict.hint:
            say(verdict.hint)
        for each in verdict.validations:
            say(f"{'ok  ' if each.valid else 'FAIL'}  {each.name}: {each.about}")
            for fault in each.faults:
                say(f"      {fault}")
        n_valid = sum(each.valid for each in verdict.validations)
        say(f"{n_valid} of {len(verdict.validations)} checks passed")
    ctx.exit(int(ExitCode.COMPLETE if verdict.all_valid else ExitCode.BLOCKED))

"""``ptyrun study verify``: is a hub what it says?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli.saying import say
from ptyrun.cli.study import study_options
from ptyrun.errors import ExitCode


@click.command("verify")
@study_options.hub
@study_options.scope
@study_options.threshold
@click.option("--json", "as_json", is_flag=True, help="One JSON document, upstream's with names.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    hub_dir: Path,
    threshold: float | None,
    as_json: bool,
    **scope: tuple[tuple[Any, ...], ...],
) -> None:
    """Check HUB by its content, with ten checks; exit 3 if one of them fails. Changes nothing.

    Every summary is made again from the metrics of the comparisons and compared; data, models and
    reconstructions are read through where their format holds checksums.
    """
    from ptyrun.study.checks.verify import verify

    words = {name: study_options.flat(each) for name, each in scope.items()}
    verdict = verify(hub_dir, ms_ssim_threshold=threshold, **words)
    if as_json:
        say(verdict.to_json())
    else:
        for each in verdict.validations:
            say(f"{'ok  ' if each.valid else 'FAIL'}  {each.name}: {each.description}")
            for fault in each.faults:
                say(f"      {fault}")
        n_valid = sum(each.valid for each in verdict.validations)
        say(f"{n_valid} of {len(verdict.validations)} checks passed")
    ctx.exit(int(ExitCode.COMPLETE if verdict.all_valid else ExitCode.BLOCKED))

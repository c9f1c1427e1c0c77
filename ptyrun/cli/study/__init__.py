"""``ptyrun study``: many comparisons in one hub folder."""

from __future__ import annotations

import click

from ptyrun.cli.commands import CONTEXT, LazyGroup

# Help texts stand here, so that listing the commands imports none of them.
COMMANDS: dict[str, str] = {}


@click.group(
    "study", cls=LazyGroup, table=COMMANDS, package="ptyrun.cli.study", context_settings=CONTEXT
)
def command() -> None:
    """Many comparisons in one hub folder: doses, views and splits, and the stages before them."""

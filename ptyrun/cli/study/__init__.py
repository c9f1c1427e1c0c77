"""``ptyrun study``: many comparisons in one hub folder."""

from __future__ import annotations

import click

from ptyrun.cli.commands import CONTEXT, LazyGroup

# Help texts stand here, so that listing the commands imports none of them.
COMMANDS: dict[str, str] = {
    "init": "Write a commented study.toml.",
    "plan": "List the stages, and what is still to be made.",
    "run": "Make the stages that are not done, within a window.",
    "stage": "Make one stage, in a process of its own.",
    "status": "Say how far each stage is, and why.",
    "report": "Show a study as a text that a person can read.",
}


@click.group(
    "study", cls=LazyGroup, table=COMMANDS, package="ptyrun.cli.study", context_settings=CONTEXT
)
def command() -> None:
    """Many comparisons in one hub folder: doses, views and splits, and the stages before them."""

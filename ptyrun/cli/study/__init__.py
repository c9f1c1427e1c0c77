"""``ptyrun study``: many comparisons in one hub folder."""

from __future__ import annotations

import click

from ptyrun.cli.commands import CONTEXT, LazyGroup

# Help texts stand here, so that listing the commands imports none of them.
COMMANDS: dict[str, str] = {
    "init": "Write a commented study.toml.",
    "plan": "List the stages, and what is still to be made.",
    "run": "Make the stages that are not done, within a window.",
    "start": "Make them in the background, in windows, until all are done.",
    "stage": "Make one stage, in a process of its own.",
    "status": "Show how far each stage is, and why.",
    "report": "Show stages, durations and overlap metrics of a study.",
    "summarize": "Write the summaries, tables and inventory of the comparisons of a hub.",
    "pack": "Write a finished study as one archive that says how each file was made.",
    "unpack": "Check such an archive, and make a hub of it.",
    "sweep": "Write a page and tables of metrics against dose and training size.",
    "verify": "Check a hub by its content, with ten checks; change nothing.",
}
POST_VERIFY_ONLY = "--post-verify-only"


class StudyGroup(LazyGroup):
    """The group of a study's commands; upstream's word for its verification is `verify`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `--post-verify-only` as the command `verify` where no other one is named."""
        if POST_VERIFY_ONLY in args and args[0] not in set(COMMANDS) - {"verify"}:
            words = [word for word in args if word != POST_VERIFY_ONLY]
            args = words if words[:1] == ["verify"] else ["verify", *words]
        return super().parse_args(ctx, args)


@click.group(
    "study", cls=StudyGroup, table=COMMANDS, package="ptyrun.cli.study", context_settings=CONTEXT
)
def command() -> None:
    """Make many comparisons in one hub folder: doses, views, splits, and what they need."""

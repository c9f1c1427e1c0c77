"""``ptyrun completion``: which words may follow, for a shell to ask."""

from __future__ import annotations

import click

from ptyrun.cli.saying import say

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete commands and options.

    Bash and zsh take it in their start-up file as `eval "$(ptyrun completion bash)"`.
    """
    from click.shell_completion import get_completion_class

    from ptyrun.cli.commands import cli

    found = get_completion_class(shell)
    assert found is not None
    say(found(cli, {}, "ptyrun", "_PTYRUN_COMPLETE").source())

"""How do tests call the command line in their own process?"""

from __future__ import annotations

from dataclasses import dataclass

from click.testing import CliRunner

from ptyrun.cli.commands import cli
from ptyrun.engine.window import counted_from_now


@dataclass(frozen=True)
class Finished:
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


def ptyrun(*words: str) -> Finished:
    """Run the command line in this process: frameworks are imported once for many calls."""
    with counted_from_now():  # as windows of a process of its own would
        result = CliRunner().invoke(cli, words)
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    return Finished(result.exit_code, result.stdout, result.stderr)

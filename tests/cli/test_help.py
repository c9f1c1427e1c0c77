"""What the command line says of itself."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main as bench
from ptyrun.cli.commands import COMMANDS, cli


def commands() -> dict[str, click.Command]:
    found = {name: cli.get_command(click.Context(cli), name) for name in COMMANDS}
    return {"bench": bench, **{name: command for name, command in found.items() if command}}


@pytest.mark.parametrize("name", commands())
def test_every_option_says_what_it_does(name: str) -> None:
    command = commands()[name]
    assert command.help
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    assert not [option.opts for option in options if not option.help]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_printed_for_every_command(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout

"""How does text reach the terminal, if somebody else may have written it?"""

from __future__ import annotations

import click

from ptyrun.texts import shown


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print *text*, with everything escaped that a terminal would obey."""
    click.echo(shown(text), err=err, nl=nl)

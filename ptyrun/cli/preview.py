"""``ptyrun preview``: what do the committed chunks amount to so far?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli import following, options
from ptyrun.cli.saying import say


@click.command("preview")
@options.run_folder
@options.console
@following.watch
@options.elsewhere
def command(run_dir: Path, output: Path | None, watch: bool, every_s: float, **given: Any) -> None:
    """Draw and measure what is committed of RUN, marked as partial; sessions may go on."""
    from ptyrun.cli import console
    from ptyrun.comparison.live_page import Reload
    from ptyrun.door.run import Run
    from ptyrun.door.watching import from_the_line

    run, reload = Run(run_dir), Reload(every_s)
    with from_the_line(console.Console.from_words(given)):
        if watch:
            following.follow(run, output, reload, lambda found: not found.is_partial)
        files = run.preview(output)
    say(files.message)
    for picture in (files.page, *files.pictures):
        say(str(picture))

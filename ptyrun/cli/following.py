"""How is a run under way followed on a page that loads itself again?"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ptyrun.cli import options, streams
from ptyrun.cli.saying import say

if TYPE_CHECKING:
    from ptyrun.comparison.live_page import Reload
    from ptyrun.door.run import Run
    from ptyrun.stages.preview import PreviewFiles
    from ptyrun.stages.status import Status


def watch(command: click.Command | Callable[..., None]) -> click.Command | Callable[..., None]:
    """Add the options that follow a run."""
    every = click.option(
        "--every",
        "every_s",
        type=options.Duration(),
        default="5s",
        help="How often --watch looks and the page reloads (default: 5s).",
    )
    follow = click.option(
        "--watch",
        is_flag=True,
        help="Rewrite the page until the run is complete, or until Ctrl-C.",
    )
    return follow(every(command))


def follow(
    run: Run, output: Path | None, reload: Reload, is_over: Callable[[Status], bool]
) -> None:
    """Write a run's preview whenever it got further, until *is_over* says that it is.

    Its page is named once, when it is there. Where it is left earlier, by Ctrl-C or another signal,
    the page stays as it is, and does not load itself again any longer.
    """
    seen: tuple[int, bool] | None = None
    files: PreviewFiles | None = None
    try:
        while not is_over(found := run.status()):
            now = (found.groups_committed, found.finalized)
            if now != seen:
                files = run.preview(output, reload=reload)
                if seen is None:
                    say(str(files.page))
                seen = now
            if not streams.is_heard():
                return
            time.sleep(reload.every_s)
    except (KeyboardInterrupt, SystemExit):
        if files is not None:
            files.let_stand(reload)
        raise


def show(page: Path) -> None:
    """Open *page* in the browser; without one, say so."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        say(f"warning: no browser could be started; the page is {page}", err=True)

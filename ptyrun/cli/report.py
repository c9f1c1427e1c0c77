"""``ptyrun report``: a page that a person can read."""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli import following, options
from ptyrun.cli.saying import say
from ptyrun.errors import UsageError
from ptyrun.host.deadline import DEADLINE


@click.command("report")
@options.run_place
@click.option("--force", is_flag=True, help="Make the report again even if it is up to date.")
@click.option("--open", "opens", is_flag=True, help="Show the page in the browser.")
@following.watch
@options.elsewhere
@options.window
def command(
    run_dir: Path | str,
    force: bool,
    opens: bool,
    watch: bool,
    every_s: float,
    output: Path | None,
    window_s: float | None,
) -> None:
    """Write RUN's report: one HTML page, Markdown and CSV.

    RUN is a folder, or an s3:// place where it, or a study, was published: then its pages are
    fetched into the folder that --output names.

    With --watch, it begins with a page of what is there so far, which ends as the report.
    """
    from ptyrun.cli import console
    from ptyrun.door.run import Run
    from ptyrun.door.watching import from_the_line

    DEADLINE.set_window(window_s)
    if isinstance(run_dir, str):
        say(str(_fetched(run_dir, output)))
        return
    run = Run(run_dir)
    with from_the_line(console.Console()):
        followed = watch and not run.status().finalized
        if followed:
            from ptyrun.comparison.live_page import REPORT, Reload

            reload = Reload(every_s, waits_for_report=True)
            following.follow(run, output, reload, lambda found: found.finalized)
        page = run.report(output, force=force, window=window_s).html
        if followed and output is None:
            run.preview(reload=Reload(every_s, is_over=True, leads_to=REPORT))
        say(str(page))
        if opens:
            following.show(page)


def _fetched(place: str, output: Path | None) -> Path:
    from ptyrun.study.published import published_at

    if output is None:
        raise UsageError(
            f"{place} needs a folder to be copied to",
            why="the page of a run in a bucket is shown from a local copy",
            do="name a new folder with --output",
        )
    return published_at(place).report(output)

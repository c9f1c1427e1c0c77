"""``ptyrun wait``: wait for the background session to end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ptyrun.cli import options
from ptyrun.cli.saying import say
from ptyrun.durations import format_duration
from ptyrun.errors import ExitCode, PtyrunError
from ptyrun.texts import below_its_first_line, counted, counted_of

if TYPE_CHECKING:
    from ptyrun.background.control import Observed
    from ptyrun.comparison.tracked import Ending

_TAIL_LINES = 10


@click.command("wait")
@options.run_folder
@click.option(
    "--timeout",
    "timeout_s",
    type=options.Duration(),
    help="Stop waiting after this long, e.g. 10m, with exit code 75; the session goes on.",
)
@click.pass_context
def command(ctx: click.Context, /, run_dir: Path, timeout_s: float | None) -> None:
    """Wait until RUN's background session is over, and exit with its exit code."""
    from ptyrun.background.control import wait

    observed = wait(run_dir, timeout_s)
    if observed.ending is not None:
        _tell(observed, observed.ending, run_dir)
        ctx.exit(observed.ending.exit_code)
    if observed.died:
        raise died(observed, run_dir)
    waited = format_duration(timeout_s or 0.0)
    say(
        f"timeout: the session has not ended after {waited}; {observed.tracked}: "
        f"{observed.judgement.words}; wait again, or `ptyrun logs {shlex.quote(str(run_dir))}`",
        err=True,
    )
    ctx.exit(int(ExitCode.INCOMPLETE))


def died(observed: Observed, run_dir: Path) -> PtyrunError:
    """Say that a session is gone without a word, and how that is known."""
    return PtyrunError(
        f"the session died without recording how it ended: {observed.tracked}",
        why=f"{observed.judgement.words}; it was killed, or its machine went down",
        do=f"nothing committed is lost: `ptyrun start {shlex.quote(str(run_dir))}` goes on; "
        f"its last output is in {run_dir / observed.tracked.log}",
    )


def _tell(observed: Observed, ending: Ending, run_dir: Path) -> None:
    if (counts := ending.counts) and counts.chunks_total:
        say(
            f"{counted_of(counts.chunks_committed, counts.chunks_total, 'chunk')}, "
            f"{counted_of(counts.groups_committed, counts.groups_total, 'group')}, "
            f"{counted(ending.windows, 'window')} of this session"
        )
    say(below_its_first_line(ending.reason, "  "))
    if observed.completion is not None and ending.exit_code == ExitCode.COMPLETE:
        artifacts = counted(len(observed.completion.artifacts), "artifact")
        say(f"{artifacts}, digests in {run_dir / 'completion.json'}")
    elif ending.evidence:
        from ptyrun.background.tail import last_lines

        last = last_lines(run_dir, ending.evidence, _TAIL_LINES)
        say(f"see {run_dir / ending.evidence}, which ends with:", err=True)
        say(last, err=True, nl=False)

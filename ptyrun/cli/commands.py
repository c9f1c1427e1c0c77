"""Which commands are there, and how does an error become a message and an exit code?"""

from __future__ import annotations

import errno
import importlib
import os
import shlex
import signal
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import click

from ptyrun import __version__
from ptyrun.cli import unforeseen
from ptyrun.cli.debug import DEBUG, DEBUG_WORD
from ptyrun.cli.saying import say
from ptyrun.errors import ExitCode, PtyrunError, UnplannedError, WindowTooShortError
from ptyrun.host.advice import advise, said_of_a_window
from ptyrun.host.signals import end_by

# Help texts stand here, so that listing the commands imports none of them.
COMMANDS = {
    "compare": "Plan, run, finalize and report one comparison; the same command continues it.",
    "plan": "Check every input and write what a comparison will compute.",
    "run": "Compute what a planned run still lacks, within a window.",
    "status": "Show how far a run is.",
    "preview": "Draw and measure the chunks that are committed so far.",
    "verify": "Find damaged, missing and unexpected files; repair what can be repaired.",
    "finalize": "Assemble objects, metrics and pictures from the committed chunks.",
    "report": "Write the report page of a finished run.",
    "export": "Write a finished run's results into one CSV, NPZ or HDF5 file.",
    "prune": "Delete the patches of a finished run; keep its results, which can still be verified.",
    "start": "Complete a run in the background, in windows, with its state on disk.",
    "wait": "Wait until the background session ends; exit with its exit code.",
    "stop": "End the background session and all its processes.",
    "logs": "Show the log of the background session.",
    "inspect": "Show what files hold, how they would be read, and what looks doubtful.",
    "convert": "Write a scan or reconstruction of any layout as NPZ or CXI.",
    "doctor": "Show what this machine has: versions, devices, confinement, locks, space.",
    "completion": "Print the script that makes a shell complete commands and options.",
    "study": "Make many comparisons in one folder: doses, views, splits, and what they need.",
}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class CommandContext(click.Context):
    """The context of a command; an error of its words knows it, which click's parser leaves out."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> bool | None:
        if isinstance(exc_value, click.UsageError) and exc_value.ctx is None:
            exc_value.ctx = self
        return super().__exit__(exc_type, exc_value, tb)


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for.

    Parameters
    ----------
    table : dict
        Names of the commands and their help, in the order of work.
    package : str
        Where the modules lie that are named after them and hold each one as ``command``.
    """

    def __init__(self, *arguments: Any, table: dict[str, str], package: str, **words: Any) -> None:
        super().__init__(*arguments, **words)
        self.table, self.package = table, package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of work."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in self.table:
            return None
        from ptyrun.cli.examples import EXAMPLES, epilog

        command = importlib.import_module(f"{self.package}.{cmd_name}").command
        assert isinstance(command, click.Command)
        command.context_class = CommandContext
        path = f"{self.package}.{cmd_name}".removeprefix("ptyrun.cli.").replace(".", " ")
        if path in EXAMPLES and "Examples:" not in (command.epilog or ""):
            command.epilog = epilog(path, command.epilog)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list from the table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))


class OuterGroup(LazyGroup):
    """The group of all commands, where every error ends."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse words before the command as all others are refused."""
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            _refuse(ctx, error)

    def invoke(self, ctx: click.Context) -> Any:
        """Turn every error of ptyrun into its message and exit code, once for all commands."""
        try:
            return super().invoke(ctx)
        except PtyrunError as error:
            if isinstance(error, WindowTooShortError):
                advise(error.enough_s)
            if isinstance(error, UnplannedError):
                error = _or_a_study(error)
            remains = error.exit_code == ExitCode.INCOMPLETE
            say(f"error: {said_of_a_window(error) if remains else error}", err=True)
            ctx.exit(int(error.exit_code))
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            _refuse(ctx, error)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
                say(
                    f"error: the name of a file is too long: {str(error.filename)[:80]}…\n"
                    f"  why: {error.strerror}\n  do:  choose a shorter one",
                    err=True,
                )
                ctx.exit(int(ExitCode.USAGE))
            words = _explained(error) if isinstance(error, OSError) else unforeseen.words_of(error)
            say(f"error: {words}", err=True)
            ctx.exit(int(ExitCode.FAILED))
        except KeyboardInterrupt:
            # Of a command that has nothing to go on with: it ends by the signal, as any program.
            end_by(signal.SIGINT)
            raise


def _refuse(ctx: click.Context, error: click.UsageError) -> NoReturn:
    from ptyrun.cli.usage import explained

    say(f"error: {explained(error)}", err=True)
    ctx.exit(int(ExitCode.USAGE))


def _or_a_study(error: UnplannedError) -> UnplannedError:
    """Say which command looks at a study, where its folder is given for a run's."""
    from ptyrun.study.hub import STUDY

    folder = Path(error.folder)
    if not (folder / STUDY).is_file():
        return error
    words = shlex.join(["ptyrun", "study", "status", "--hub", str(folder)])
    return error.with_hint(f"it is the folder of a study: `{words}`")


def _explained(error: OSError) -> PtyrunError | str:
    """What the system refused where nothing said it better."""
    from ptyrun.host.durable import explanation

    return explanation(error) if error.errno else unforeseen.words_of(error)


def _debug(_ctx: click.Context, _option: click.Parameter, given: bool) -> None:
    if given:
        os.environ[DEBUG] = "1"


@click.group(
    cls=OuterGroup,
    table=COMMANDS,
    package="ptyrun.cli",
    context_settings=CONTEXT,
    # click keeps the lines of a paragraph that begins with this character.
    epilog="\n".join(["\b", "Exit codes:", *(f"  {int(c):<3} {c.means}" for c in ExitCode)]),
)
@click.option(
    DEBUG_WORD,
    is_flag=True,
    expose_value=False,
    callback=_debug,
    help=f"Show the traceback of an error that nothing explains (also: {DEBUG}=1).",
)
@click.version_option(__version__, prog_name="ptyrun")
def cli() -> None:
    """Compare ptychographic reconstructions in windows that may be cut off at any time."""

"""How is the command line called a thousand times in one process?"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

from ptyrun.cli.commands import cli
from tests.fuzz.kinds import Said


def ptyrun(*words: str) -> Said:
    """Run a command as the command line does, and keep what it said."""
    said = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(said):
        try:
            cli.main(list(words), prog_name="ptyrun", standalone_mode=True)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    sys.stderr.flush()
    return Said(words, code, said.getvalue())

"""How is the table of exit codes spelt, in help and in documents?

``python -m ptyrun.cli.exit_codes FILE...`` writes it anew between its marks in each file.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ptyrun.errors import ExitCode

BEGIN, END = "<!-- exit codes: make tables -->", "<!-- end of exit codes -->"
_MARKED = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def as_markdown() -> str:
    """Write the table between its marks."""
    rows = [f"| {int(code)} | {code.means} |" for code in ExitCode]
    return "\n".join([BEGIN, "", "| exit | means |", "|---|---|", *rows, "", END])


def as_help() -> str:
    """Write the table for a terminal; click keeps the lines of a paragraph that says so."""
    return "\n".join(["\b", "Exit codes:", *(f"  {int(c):<3} {c.means}" for c in ExitCode)])


def renewed(text: str) -> str:
    """Give *text* with the table of now between the marks."""
    return _MARKED.sub(lambda _: as_markdown(), text)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")

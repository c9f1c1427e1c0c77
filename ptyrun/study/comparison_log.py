"""With which command was a comparison made, and how did it end? The head of its log."""

from __future__ import annotations

import re
import shlex

OUTPUT = "\n\n=== STDOUT ==="
_HEAD = re.compile(r"Command: (.*)\nReturn code: (-?\d{1,9})\s*", re.DOTALL)


def command_in(log: str) -> tuple[list[str], int]:
    """Give the words of the command, whose paths may have lines of their own, and its return code.

    Raises
    ------
    ValueError
        If the log begins with something else.
    """
    head = _HEAD.fullmatch(log.partition(OUTPUT)[0])
    if head is None:
        raise ValueError("it does not begin with its command and its return code")
    return shlex.split(head[1]), int(head[2])
